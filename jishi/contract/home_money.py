"""Money in the shop's home currency, stamped when an event is accepted (docs/adr/0016).

An event keeps its amounts and currency as they came. Where the currency is not the shop's own, ``home_currency``, ``fx_rate``
and ``fx_rate_date`` go into its properties, and a ``home_…`` amount beside each amount; without a rate of its date or before,
only ``home_currency``: the event is flagged and never added. An event without a stamp is in the home currency. So every engine
adds the same whole numbers, and needs neither rates nor the registry. Nobody can send a stamp: what came as one is taken off.

An order is rounded once. Its running total (line by line, then less its own discount, then shipping) is converted and rounded
half to even at each step, and a part is the difference of two totals: parts are never below 0, they add up, the discount is at
most what the lines come to, and what was paid is the rounded paid amount.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jishi.contract.bounds import TOO_LARGE
from jishi.contract.events import Event
from jishi.contract.validation import Refusal
from jishi.fx_rates import FxRates, load_rates, plain_text
from jishi.money import HOME_CURRENCY, MOST_MINOR

_STAMP = frozenset({HOME_CURRENCY, "fx_rate", "fx_rate_date"})
_AMOUNTS = frozenset(f"home_{name}_minor" for name in ("amount", "discount", "gross", "net", "shipping", "unit_price"))
_NAMES = _STAMP | _AMOUNTS
_STAMPED_TYPES = frozenset(
    {"checkout_started", "item_added_to_cart", "item_changed", "item_viewed", "order_paid", "order_refunded"}
)
_SINGLE = {
    "checkout_started": "amount_minor",
    "item_added_to_cart": "unit_price_minor",
    "item_changed": "unit_price_minor",
    "item_viewed": "unit_price_minor",
}


@dataclass(frozen=True)
class ShopMoney:
    """A shop's home currency, the zone that decides the date of an instant, and the rates to the home currency."""

    time_zone: str
    rates: FxRates

    @property
    def currency(self) -> str:
        """The home currency."""
        return self.rates.home_currency

    def date_of(self, instant: datetime) -> date:
        """The date of an instant on the shop's clock; the last that there is for the last hours of the year 9999."""
        try:
            return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(ZoneInfo(self.time_zone)).date()
        except OverflowError:
            return date.max


def shop_money(folder: Path, shop_id: str, currency: str, time_zone: str) -> ShopMoney:
    """A shop's money with the newest rates of ``folder`` (``jishi.paths.Paths.fx_rates``)."""
    return ShopMoney(time_zone, load_rates(folder, shop_id, currency))


def without_stamp(raw: Any) -> Any:
    """A decoded event without the fields of a stamp, which is not for senders to make; itself where it has none."""
    if not isinstance(raw, dict) or not isinstance(raw.get("properties"), dict):
        return raw
    if not isinstance(name := raw.get("type"), str) or name not in _STAMPED_TYPES:  # a list cannot be looked up
        return raw
    properties = raw["properties"]
    kept = unstamped(properties)
    lines = properties.get("lines")
    if isinstance(lines, list):
        kept_lines = [unstamped(line) if isinstance(line, dict) else line for line in lines]
        if any(after is not before for after, before in zip(kept_lines, lines, strict=True)):
            kept = kept | {"lines": kept_lines}
    return raw if kept is properties else {**raw, "properties": kept}


def unstamped(part: dict[str, Any]) -> dict[str, Any]:
    """Properties or a line of an event without their part of the stamp; itself where there is none."""
    if _NAMES.isdisjoint(part):
        return part
    return {name: value for name, value in part.items() if name not in _NAMES}


def stamped(raw: dict[str, Any], event: Event, money: ShopMoney) -> dict[str, Any] | Refusal:
    """``raw`` with its stamp, or itself where it needs none; ``event`` is what the contract made of it.

    An event whose amounts are too large in the home currency is refused.
    """
    currency = getattr(event.properties, "currency", None)
    if currency is None or currency == money.currency or event.type not in _STAMPED_TYPES:
        return raw
    stamp: dict[str, Any] = {HOME_CURRENCY: money.currency}
    rate = money.rates.at(currency, money.date_of(event.occurred_at))
    if rate is None:
        return {**raw, "properties": raw["properties"] | stamp}
    stamp |= {"fx_rate": plain_text(rate.rate), "fx_rate_date": rate.rate_date.isoformat()}
    amounts, lines = _amounts(event, rate.conversion_to(money.currency))
    largest = max([*amounts.values(), *_sums(amounts, lines)], default=0)
    if largest > MOST_MINOR:
        detail = (
            f"in the shop's {money.currency} the event comes to {largest}, at most {MOST_MINOR} is taken; is the rate right?"
        )
        return Refusal(TOO_LARGE, "properties.currency", detail)
    properties = raw["properties"] | stamp | amounts
    if lines:
        properties["lines"] = [line | more for line, more in zip(properties["lines"], lines, strict=True)]
    return {**raw, "properties": properties}


def _amounts(event: Event, convert: Callable[[int], int]) -> tuple[dict[str, int], list[dict[str, int]]]:
    """Home amounts of the properties and of each line."""
    properties = event.properties
    if event.type == "order_paid":
        return _of_order(properties, convert)
    if event.type == "order_refunded":
        total, lines = 0, []
        for line in properties.lines:
            lines.append({"home_amount_minor": convert(total + line.amount_minor) - convert(total)})
            total += line.amount_minor
        return {"home_amount_minor": convert(properties.amount_minor)}, lines
    name = _SINGLE[event.type]
    amount = getattr(properties, name)
    return ({} if amount is None else {f"home_{name}": convert(amount)}), []


def _of_order(order: Any, convert: Callable[[int], int]) -> tuple[dict[str, int], list[dict[str, int]]]:
    total, lines = 0, []
    for line in order.lines:
        before, net = convert(total), total + line.net_minor
        lines.append(
            {
                "home_unit_price_minor": convert(line.unit_price_minor),
                "home_gross_minor": convert(total + line.quantity * line.unit_price_minor) - before,
                "home_discount_minor": convert(net + line.discount_minor) - convert(net),
                "home_net_minor": convert(net) - before,
            }
        )
        total = net
    goods = total - order.discount_minor
    amounts = {
        "home_shipping_minor": convert(goods + order.shipping_minor) - convert(goods),
        "home_discount_minor": convert(total) - convert(goods),
    }
    return amounts, lines


def _sums(amounts: dict[str, int], lines: list[dict[str, int]]) -> list[int]:
    """What an engine adds up of one event."""
    sums = {name: sum(line.get(name, 0) for line in lines) for name in _AMOUNTS}
    paid = sums["home_net_minor"] + amounts.get("home_shipping_minor", 0) - amounts.get("home_discount_minor", 0)
    return [*sums.values(), sums["home_discount_minor"] + amounts.get("home_discount_minor", 0), paid]
