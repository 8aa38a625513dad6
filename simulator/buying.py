"""From the cart to the money, and back again: adding, checking out, paying, refunding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.journal import Visitor
from simulator.scene import Scene

_DAY_S = 86_400.0
_REASONS = ("尺寸不合适", "不喜欢", "质量问题", "发错货", "七天无理由")


@dataclass(frozen=True)
class CartLine:
    """Something in the cart at the price of the moment (minor units)."""

    item: int
    quantity: int
    unit_price: int


def add(scene: Scene, visitor: Visitor, item: int, quantity: int = 1, unit_price: int | None = None) -> CartLine:
    """Put an item into the cart, at a special price when one is given."""
    line = CartLine(item, quantity, int(scene.state.price[item]) if unit_price is None else unit_price)
    scene.journal.record(
        visitor,
        "item_added_to_cart",
        {
            "item_id": scene.world.catalogue.ids[item],
            "quantity": quantity,
            "category": scene.world.catalogue.category_name(item),
            "unit_price_minor": line.unit_price,
        },
    )
    return line


def check_out(scene: Scene, visitor: Visitor, cart: list[CartLine]) -> None:
    """Go to the checkout, which asks a stranger to log in."""
    scene.open_page(visitor, "/checkout")
    if visitor.user_id is None:
        scene.log_in(visitor)
    properties = {
        "cart_id": scene.journal.new_id("c"),
        "items": len(cart),
        "amount_minor": sum(line.quantity * line.unit_price for line in cart),
        "currency": scene.world.preset.currency,
    }
    scene.journal.record(visitor, "checkout_started", properties)


def pay(
    scene: Scene,
    visitor: Visitor,
    cart: list[CartLine],
    *,
    coupon_id: str | None = None,
    share_id: str | None = None,
    group_buy_id: str | None = None,
) -> tuple[str, int]:
    """Pay what is in the cart; may be refunded days later. Returns the order's id and what was paid (minor units)."""
    preset, catalogue = scene.world.preset, scene.world.catalogue
    gross = sum(line.quantity * line.unit_price for line in cart)
    from_amount, off = preset.coupon_minor
    discount = off if coupon_id and gross >= from_amount else 0
    shipping = 0 if gross - discount >= preset.free_shipping_minor else preset.shipping_minor
    order_id = scene.journal.new_id("o")
    properties: dict[str, Any] = {
        "order_id": order_id,
        "currency": preset.currency,
        "lines": [
            {
                "item_id": catalogue.ids[line.item],
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price,
                "category": catalogue.category_name(line.item),
            }
            for line in cart
        ],
        "discount_minor": discount,
        "shipping_minor": shipping,
    }
    named = (("share_id", share_id), ("group_buy_id", group_buy_id), ("delivery_region", visitor.context.get("city")))
    for name, value in named:
        if value:
            properties[name] = value
    if discount and coupon_id:
        properties["coupon_ids"] = [coupon_id]
    scene.journal.record(visitor, "order_paid", properties)
    if discount and coupon_id:
        redeemed = {"coupon_id": coupon_id, "order_id": order_id, "discount_minor": discount}
        scene.journal.record(visitor, "coupon_redeemed", redeemed, at_ms=visitor.now_ms + 300)
    paid = gross - discount + shipping
    if group_buy_id is None and scene.dice.chance(preset.refund_per_order):
        _refund_some(scene, visitor, order_id, cart, paid, discount, gross)
    return order_id, paid


def refund(scene: Scene, visitor: Visitor, order_id: str, amount: int, at_ms: int, reason: str, lines: list[CartLine]) -> None:
    """Pay ``amount`` of an order back at ``at_ms``; ``lines`` are what comes back with it."""
    properties = {
        "refund_id": scene.journal.new_id("r"),
        "order_id": order_id,
        "currency": scene.world.preset.currency,
        "amount_minor": amount,
        "lines": [
            {
                "item_id": scene.world.catalogue.ids[line.item],
                "quantity": line.quantity,
                "amount_minor": line.quantity * line.unit_price,
            }
            for line in lines
        ],
        "reason": reason,
    }
    outside = Visitor(visitor.shopper, visitor.anonymous_id, visitor.user_id, scene.journal.new_id("s"), visitor.context, at_ms)
    scene.journal.record(outside, "order_refunded", properties)


def _refund_some(
    scene: Scene, visitor: Visitor, order_id: str, cart: list[CartLine], paid: int, discount: int, gross: int
) -> None:
    """One line of several, less its share of the discount, or all of it; one to about ten days later."""
    dice = scene.dice
    at_ms = visitor.now_ms + int((1.0 + min(dice.exponential(2.5), 12.0)) * _DAY_S * 1000)
    if len(cart) > 1 and dice.chance(0.6):
        line = dice.pick(cart)
        value = line.quantity * line.unit_price
        refund(scene, visitor, order_id, value - discount * value // gross, at_ms, dice.pick(_REASONS), [line])
    else:
        refund(scene, visitor, order_id, paid, at_ms, dice.pick(_REASONS), cart)
