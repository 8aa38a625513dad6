"""Bounds of what is computed from an event: as much as one amount of money, so that no engine's 64 bits can overflow.

A line's quantity × price, the sums of an order's quantities, lines and discounts, and what was paid are each at most
``MOST_MINOR``, like every amount that is sent, and no discount is larger than what it is taken from. Refused where events come
in (collector, imports, repairs), so that batch and stream need no guard.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticCustomError

from jishi.money import MOST_MINOR

MAX_DIGITS = 30  # a decimal text with a larger exponent (1e999999) is no amount; writing it out would take a megabyte

TOO_LARGE = "amount_too_large"
DISCOUNT_ABOVE = "discount_above_order"


def check_order(order: Any) -> None:
    """Check an ``OrderPaid``. Raises PydanticCustomError with one of the reasons above and a sentence that says the fix."""
    units = gross = net = discounts = 0
    for number, line in enumerate(order.lines):
        line_gross = line.quantity * line.unit_price_minor
        if line.amount_minor is None and line.discount_minor > line_gross:
            raise PydanticCustomError(
                DISCOUNT_ABOVE,
                "line {number}: discount_minor is {discount} and quantity × unit_price_minor only {gross}; "
                "a line cannot cost less than nothing",
                {
                    "number": number,
                    "discount": line.discount_minor,
                    "gross": line_gross,
                    "field": f"lines.{number}.discount_minor",
                },
            )
        units += line.quantity
        gross += line_gross
        net += line.net_minor
        discounts += line.discount_minor
    paid = net - order.discount_minor + order.shipping_minor
    sums = {"quantities": units, "quantity × unit_price_minor": gross, "lines": net}
    sums |= {"discounts": discounts + order.discount_minor, "amount paid": paid}
    for name, value in sums.items():
        if value > MOST_MINOR:
            raise PydanticCustomError(
                TOO_LARGE,
                "{name} of the order add up to {value}, at most {most} is taken; are the amounts in minor units?",
                {"name": name, "value": str(value), "most": MOST_MINOR, "field": "lines"},
            )
    if order.discount_minor > net:
        raise PydanticCustomError(
            DISCOUNT_ABOVE,
            "discount_minor is {discount} and the lines cost only {net}; the paid amount cannot be below zero",
            {"discount": order.discount_minor, "net": net, "field": "discount_minor"},
        )


def check_refund(refund: Any) -> None:
    """Check the sums of an ``OrderRefunded``'s lines. Raises PydanticCustomError like ``check_order``."""
    for name in ("quantity", "amount_minor"):
        if (value := sum(getattr(line, name) for line in refund.lines)) > MOST_MINOR:
            raise PydanticCustomError(
                TOO_LARGE,
                "{name} of the lines add up to {value}, at most {most} is taken; are the amounts in minor units?",
                {"name": name, "value": str(value), "most": MOST_MINOR, "field": "lines"},
            )


def check_cart(cart: Any) -> None:
    """Check an ``ItemAddedToCart``: what is put in is bounded like a line. Raises PydanticCustomError like ``check_order``."""
    if cart.unit_price_minor is not None and cart.quantity * cart.unit_price_minor > MOST_MINOR:
        raise PydanticCustomError(
            TOO_LARGE,
            "quantity × unit_price_minor is {value}, at most {most} is taken; is the price in minor units?",
            {"value": str(cart.quantity * cart.unit_price_minor), "most": MOST_MINOR, "field": "quantity"},
        )
