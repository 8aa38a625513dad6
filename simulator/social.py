"""What shoppers do together: shares that friends open, group buys that fill or fail, bargains."""

from __future__ import annotations

from jishi.identity import device_person
from simulator.buying import add, check_out, pay, refund
from simulator.journal import Visitor
from simulator.scene import Scene

_HOUR_MS = 3_600_000
_GROUP_OPEN_MS = 24 * _HOUR_MS
_GROUP_PRICE, _FLOOR_PRICE = 0.82, 0.6
_SHARE_CHANNELS = ("wechat", "moments", "qq", "xiaohongshu")


def share(scene: Scene, visitor: Visitor, item: int) -> None:
    """Share an item; some friends open the link within hours, look, and now and then buy."""
    dice, item_id = scene.dice, scene.world.catalogue.ids[item]
    share_id, channel = scene.journal.new_id("h"), dice.pick(_SHARE_CHANNELS)
    scene.journal.record(visitor, "item_shared", {"share_id": share_id, "item_id": item_id, "share_channel": channel})
    shared_by = visitor.user_id or device_person(visitor.anonymous_id)
    scene.linger(visitor, 8)
    for friend in _friends(scene, visitor):
        if not dice.chance(0.28):
            continue
        at_ms = visitor.now_ms + 20_000 + int(dice.exponential(1.5) * _HOUR_MS)
        guest = scene.visitor(friend, at_ms, channel="wechat", referrer="share")
        scene.journal.record(guest, "share_opened", {"share_id": share_id, "item_id": item_id, "shared_by": shared_by})
        guest.now_ms += 400
        scene.view(guest, item, share_id)
        scene.linger(guest)
        if scene.wants(friend, item) or (scene.state.is_sellable(item) and dice.chance(0.06)):
            line = add(scene, guest, item)
            scene.linger(guest, 10)
            if dice.chance(scene.world.preset.checkout_per_cart):
                check_out(scene, guest, [line])
                scene.linger(guest)
                if dice.chance(scene.world.preset.pay_per_checkout):
                    pay(scene, guest, [line], share_id=share_id)


def open_group(scene: Scene, visitor: Visitor, item: int) -> None:
    """Open a group buy (拼团). Members pay when they join; a group that does not fill within a day is paid back."""
    dice = scene.dice
    item_id = scene.world.catalogue.ids[item]
    size = 2 if dice.chance(0.6) else dice.whole(3, 5)
    price = max(100, int(scene.state.price[item] * _GROUP_PRICE) // 100 * 100)
    group_id = scene.journal.new_id("g")
    if visitor.user_id is None:
        scene.log_in(visitor)
    opened_ms = visitor.now_ms
    opened = {"group_buy_id": group_id, "item_id": item_id, "size": size, "unit_price_minor": price}
    scene.journal.record(visitor, "group_buy_opened", opened)
    members = [(visitor, *_pay_in_group(scene, visitor, item, price, group_id))]
    last_ms = visitor.now_ms
    candidates = [f for f in _friends(scene, visitor) if dice.chance(0.4)]
    strangers = [int(n) for n in (dice.rng.random(1) * scene.world.shoppers.count).tolist()]
    for joiner in dict.fromkeys(candidates + strangers):
        if len(members) == size:
            break
        at_ms = opened_ms + 60_000 + int(dice.exponential(5.0) * _HOUR_MS)
        if joiner == visitor.shopper or at_ms > opened_ms + _GROUP_OPEN_MS - _HOUR_MS or not dice.chance(0.8):
            continue
        guest = scene.visitor(joiner, at_ms, channel="wechat", referrer="group_buy")
        scene.log_in(guest)
        scene.view(guest, item)
        scene.linger(guest)
        joined = {"group_buy_id": group_id, "item_id": item_id, "invited_by": visitor.user_id}
        scene.journal.record(guest, "group_buy_joined", joined)
        members.append((guest, *_pay_in_group(scene, guest, item, price, group_id)))
        last_ms = max(last_ms, guest.now_ms)
    if len(members) == size:
        done = {"group_buy_id": group_id, "item_id": item_id, "members": size}
        scene.journal.record_shop("group_buy_completed", done, last_ms + 1000)
    else:
        for number, (member, order_id, paid) in enumerate(members):
            refund(scene, member, order_id, paid, opened_ms + _GROUP_OPEN_MS + number * 50, "拼团未成", [])


def _pay_in_group(scene: Scene, visitor: Visitor, item: int, price: int, group_id: str) -> tuple[str, int]:
    scene.linger(visitor, 6)
    line = add(scene, visitor, item, 1, price)
    scene.linger(visitor, 6)
    check_out(scene, visitor, [line])
    scene.linger(visitor, 15)
    return pay(scene, visitor, [line], group_buy_id=group_id)


def open_bargain(scene: Scene, visitor: Visitor, item: int) -> None:
    """Start a bargain (砍价): friends cut the price; who reaches the floor may come back and buy at it."""
    dice, item_id = scene.dice, scene.world.catalogue.ids[item]
    price = int(scene.state.price[item])
    floor = max(100, int(price * _FLOOR_PRICE) // 100 * 100)
    bargain_id = scene.journal.new_id("b")
    started = {"bargain_id": bargain_id, "item_id": item_id, "floor_price_minor": floor}
    scene.journal.record(visitor, "bargain_started", started)
    scene.linger(visitor, 6)
    left, at_ms = max(price - floor, 0), visitor.now_ms
    for friend in _friends(scene, visitor):
        if left <= 0 or not dice.chance(0.6):
            continue
        at_ms += 30_000 + int(dice.exponential(0.7) * _HOUR_MS)
        cut = min(left, max(1, int((price - floor) * dice.between(0.2, 0.5))))
        left -= cut
        helper = scene.visitor(friend, at_ms, channel="wechat", referrer="bargain")
        scene.open_page(helper, "/bargain")
        scene.journal.record(helper, "bargain_helped", {"bargain_id": bargain_id, "item_id": item_id, "cut_minor": cut})
    if left <= 0 and dice.chance(0.7):
        buyer = scene.visitor(visitor.shopper, at_ms + int(dice.exponential(0.5) * _HOUR_MS) + 60_000)
        scene.view(buyer, item)
        scene.linger(buyer, 8)
        line = add(scene, buyer, item, 1, floor)
        scene.linger(buyer, 8)
        check_out(scene, buyer, [line])
        scene.linger(buyer, 15)
        pay(scene, buyer, [line])


def _friends(scene: Scene, visitor: Visitor) -> list[int]:
    friends = scene.world.shoppers.friends[visitor.shopper].tolist()
    return [friend for friend in dict.fromkeys(friends) if friend != visitor.shopper]
