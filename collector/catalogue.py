"""The newest state of each shop's items: enough to fill gaps in events and to tell a change from a repetition."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from collector.recent_ids import RecentIds
from jishi.contract.fields import parse_instant, to_ms
from jishi.contract.home_money import unstamped

# What each event type may leave out. Other types have no such field, or one that means something else (a group's own price).
_FILLED = ("category", "unit_price_minor")
_GAPS: dict[str, tuple[str, ...]] = {"item_viewed": _FILLED, "item_added_to_cart": _FILLED}

_REMEMBERED = 1 << 16  # changes whose ids are remembered


class Known(NamedTuple):
    """The newest state of an item: ``changed_at_ms`` is when it came about, ``since_ms`` since when category and price are so.

    ``digest`` names the whole state, or is empty where only these fields of it are known. ``currency`` is that of the price,
    the shop's home currency when the state was taken over; None in a snapshot of a collector that did not keep it.
    """

    category: str | None
    unit_price_minor: int | None
    changed_at_ms: int
    since_ms: int
    digest: str
    currency: str | None = None

    def has_price_of(self, other: Known) -> bool:
        """Whether category and price are the same, as far as both know their currency."""
        currencies = {self.currency, other.currency} - {None}
        return (self.category, self.unit_price_minor) == (other.category, other.unit_price_minor) and len(currencies) < 2


def digest_of(properties: dict[str, Any]) -> str:
    """Names a state of an item: equal for equal content, whatever the order of its fields."""
    return hashlib.blake2b(orjson.dumps(properties, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


class ShopCatalogues:
    """Items of all shops by shop and id; used by one thread."""

    def __init__(self) -> None:
        self._shops: dict[str, dict[str, Known]] = {}
        self._noted = RecentIds(_REMEMBERED)
        self.changes = 0

    def __iter__(self) -> Iterator[tuple[str, str, Known]]:
        """Every item with its shop."""
        return ((shop_id, item_id, known) for shop_id, items in self._shops.items() for item_id, known in items.items())

    def copy(self) -> ShopCatalogues:
        """The catalogue as it is now; states are never changed, only replaced."""
        other = ShopCatalogues()
        other._shops = {shop_id: dict(items) for shop_id, items in self._shops.items()}
        return other

    def get(self, shop_id: str, item_id: str) -> Known | None:
        """The newest known state, if there is one."""
        items = self._shops.get(shop_id)
        return None if items is None else items.get(item_id)

    def put(self, shop_id: str, item_id: str, state: Known) -> None:
        """Store a state unless a newer one is known. Of two with the same time the one put later holds."""
        items = self._shops.setdefault(shop_id, {})
        known = items.get(item_id)
        if known is not None:
            if known.changed_at_ms > state.changed_at_ms:
                return
            if known.has_price_of(state):
                state = state._replace(since_ms=min(known.since_ms, state.since_ms), digest=state.digest or known.digest)
        if state != known:
            items[item_id] = state
            self.changes += 1

    def note(
        self,
        shop_id: str,
        event_id: str | None,
        properties: dict[str, Any],
        occurred_at_ms: int,
        home_price_minor: int | None,
        home_currency: str,
    ) -> None:
        """Store the state that an accepted ``item_changed`` carries; its price in the home currency, where that is known.

        An event that is sent again counts as it came first, here as in every engine.
        """
        if event_id is not None and self._noted.is_repeated(shop_id, event_id):
            return
        digest = digest_of(unstamped(properties))
        state = Known(properties["category"], home_price_minor, occurred_at_ms, occurred_at_ms, digest, home_currency)
        self.put(shop_id, properties["item_id"], state)

    def fill(self, shop_id: str, events: list[Any], home_currency: str) -> int:
        """Put category and price into events that leave them out, and say so in them; returns how many were filled.

        Only what held when the event happened is put in: an item whose category or price changed after it stays unfilled. So
        does the price of an event in another currency than the shop's, or of an item whose price is in one that the shop had.
        """
        items = self._shops.get(shop_id)
        if not items:
            return 0
        filled = 0
        for event in events:
            if not isinstance(event, dict):
                continue
            properties = event.get("properties")
            name = event.get("type")
            if not isinstance(properties, dict) or not isinstance(name, str):
                continue
            if (gaps := _GAPS.get(name)) is not None:
                if properties.get("currency") not in (None, home_currency):
                    gaps = gaps[:1]
                filled += _fill(event, properties, items, gaps, home_currency)
            elif name == "order_paid" and isinstance(lines := properties.get("lines"), list):
                gaps = ("category",)
                filled += any([_fill(event, line, items, gaps, home_currency) for line in lines if isinstance(line, dict)])
        return filled


def _fill(
    event: dict[str, Any], part: dict[str, Any], items: dict[str, Known], gaps: tuple[str, ...], home_currency: str
) -> bool:
    """Fill ``part`` of an event, its properties or an order line."""
    missing = [name for name in gaps if part.get(name) is None]
    item_id = part.get("item_id")
    if not missing or not isinstance(item_id, str) or "filled" in part:  # filled once is filled for ever
        return False
    known = items.get(item_id)
    if known is None:
        return False
    try:
        if to_ms(parse_instant(event.get("occurred_at"))) < known.since_ms:
            return False
    except ValueError:
        return False
    if known.currency not in (None, home_currency):
        missing = [name for name in missing if name != "unit_price_minor"]
    values = {name: value for name in missing if (value := getattr(known, name)) is not None}
    if not values:
        return False
    filled = {name: "null" if name in part else "absent" for name in values}
    part.update(values)
    part["filled"] = filled
    return True
