"""A visit from the first page to the last: looking, wanting, buying."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.buying import CartLine, add, check_out, pay
from simulator.journal import Visitor
from simulator.scene import Scene
from simulator.social import open_bargain, open_group, share

_SHOWN = 8
_MOST_VIEWS = 40


def walk_visit(scene: Scene, shopper: int, at_ms: int, *, is_restocking: bool) -> None:
    """Play one visit; ``is_restocking`` means that the shopper came for the usual things."""
    dice, preset = scene.dice, scene.world.preset
    visitor = scene.visitor(shopper, at_ms)
    scene.open_page(visitor, "/")
    logs_in = visitor.user_id is None and scene.day == scene.world.shoppers.login_day[shopper]
    if dice.chance(0.004):
        scene.journal.record(visitor, "consent_changed", {"personalisation": dice.chance(0.4)})
        scene.linger(visitor, 5)
    coupon_id = _claim_coupon(scene, visitor)
    cart: list[CartLine] = []
    clicked = _look_at_recommendations(scene, visitor) if dice.chance(0.12) else None
    if is_restocking:
        _restock(scene, visitor, cart)
    wanted = [] if clicked is None else [clicked]
    wanted += _items_to_view(scene, visitor, hurried=is_restocking)
    for number, item in enumerate(wanted):
        if number == 2 and logs_in:
            scene.log_in(visitor)
        scene.view(visitor, item)
        scene.linger(visitor)
        if scene.wants(shopper, item):
            cart.append(add(scene, visitor, item, _units(scene)))
            scene.linger(visitor, 8)
        elif scene.state.is_sellable(item):
            _join_in(scene, visitor, item)
    if cart and dice.chance(0.12):
        gone = cart.pop(dice.whole(0, len(cart) - 1))
        scene.journal.record(
            visitor, "item_removed_from_cart", {"item_id": scene.world.catalogue.ids[gone.item], "quantity": gone.quantity}
        )
        scene.linger(visitor, 6)
    likely = 0.93 if is_restocking else preset.checkout_per_cart
    if coupon_id:
        likely = min(0.97, likely * 1.4)
    if not cart or not dice.chance(likely):
        return
    check_out(scene, visitor, cart)
    scene.linger(visitor, 25)
    if dice.chance(preset.pay_per_checkout):
        pay(scene, visitor, cart, coupon_id=coupon_id)
        scene.linger(visitor, 10)
        if dice.chance(preset.share_per_order):
            share(scene, visitor, dice.pick(cart).item)


def _join_in(scene: Scene, visitor: Visitor, item: int) -> None:
    """Social things that one may do with an item that did not go into the cart."""
    preset, draw = scene.world.preset, scene.dice.uniform()
    if draw < preset.group_per_view:
        open_group(scene, visitor, item)
    elif draw < preset.group_per_view + preset.bargain_per_view:
        open_bargain(scene, visitor, item)
    elif draw < preset.group_per_view + preset.bargain_per_view + preset.share_per_view:
        share(scene, visitor, item)


def _claim_coupon(scene: Scene, visitor: Visitor) -> str | None:
    if not scene.dice.chance(0.3 if scene.campaign else 0.05):
        return None
    coupon_id = f"coupon-{scene.campaign or '新客'}"
    claimed = {"coupon_id": coupon_id} | ({"campaign_id": scene.campaign} if scene.campaign else {})
    scene.journal.record(visitor, "coupon_claimed", claimed)
    scene.linger(visitor, 4)
    return coupon_id


def _restock(scene: Scene, visitor: Visitor, cart: list[CartLine]) -> None:
    for item in scene.world.running_out(visitor.shopper, scene.day).tolist():
        if scene.state.is_sellable(item) and scene.dice.chance(0.8):
            scene.view(visitor, item)
            scene.linger(visitor, 8)
            cart.append(add(scene, visitor, item, _units(scene)))
            scene.linger(visitor, 5)


def _items_to_view(scene: Scene, visitor: Visitor, *, hurried: bool) -> list[int]:
    """Half of the visits look around, the others have a category in mind; some of these search for a kind of goods."""
    dice, catalogue = scene.dice, scene.world.catalogue
    mean = scene.world.preset.views_per_visit * (0.35 if hurried else 1.0)
    number = min(_MOST_VIEWS, 1 + int(dice.exponential(mean)))
    around = scene.picks(visitor.shopper, 1)
    if dice.chance(0.5) or not around:
        return scene.walk(visitor.shopper, number)
    category = int(catalogue.category[around[0]])
    is_searching = dice.chance(0.45)
    scene.open_page(visitor, "/search" if is_searching else f"/categories/{category}")
    if is_searching:
        kinds = catalogue.preset.categories[category].kinds
        kind = dice.whole(0, len(kinds) - 1)
        results = int(np.count_nonzero((catalogue.category == category) & (catalogue.kind == kind)))
        scene.journal.record(visitor, "search_performed", {"query": kinds[kind][0], "results": results})
        scene.linger(visitor, 6)
    return scene.walk(visitor.shopper, number, category)


def _look_at_recommendations(scene: Scene, visitor: Visitor) -> int | None:
    """The home page shows some of the shop's best-liked items; what fits the taste may be clicked. Returns what was clicked."""
    dice, catalogue = scene.dice, scene.world.catalogue
    chances = np.exp(1.5 * catalogue.appeal) * scene.state.active
    shown = dice.rng.choice(len(catalogue), size=_SHOWN, replace=False, p=chances / chances.sum()).tolist()
    request_id = scene.journal.new_id("q")
    shown_ids = [catalogue.ids[item] for item in shown]
    properties: dict[str, Any] = {"request_id": request_id, "placement": "home", "item_ids": shown_ids}
    properties |= {"reasons": ["popular"] * len(shown_ids), "is_person_known": visitor.user_id is not None}
    scene.journal.record(visitor, "recommendation_shown", properties)
    for position, item in enumerate(shown):
        if dice.chance(0.02 + 0.12 * max(0.0, scene.liking(visitor.shopper, item))):
            scene.linger(visitor, 6)
            clicked = {"request_id": request_id, "placement": "home", "item_id": catalogue.ids[item], "position": position}
            scene.journal.record(visitor, "recommendation_clicked", clicked)
            visitor.now_ms += 200
            return int(item)
    scene.linger(visitor, 6)
    return None


def _units(scene: Scene) -> int:
    most = scene.world.preset.most_units
    return 1 if scene.dice.chance(0.7) else scene.dice.whole(1, most)
