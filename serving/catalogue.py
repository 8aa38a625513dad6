"""The catalogue of one shop as serving knows it: the newest state of each item, from the lake's snapshot and from live events.

Which of two states is newer is decided as everywhere: latest ``occurred_at``, then ``received_at``, then ``event_id``; so
snapshot and stream may overlap and arrive in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import orjson

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion

TABLE = "silver/items"
_COLUMNS = "shop_id, item_id, title, title_en, category, unit_price_minor, currency, stock, status"
_FACTS = (
    "brand, attributes, region, home_unit_price_minor, unit_cost_minor, epoch_ms(stocked_at), coalesce(home_currency, currency)"
)
Attributes = tuple[tuple[str, str], ...]  # name and value, by name


SEEN_AFTER_MS = 3_600_000  # the log's partitions reach the lake at different times


class Version(NamedTuple):
    """Orders states of one item; times are epoch milliseconds. The snapshot keeps no event id and has an empty one."""

    occurred_at_ms: int
    received_at_ms: int
    event_id: str


@dataclass(frozen=True, slots=True)
class Item:
    """State of one item; the price is in minor units of ``currency``, ``stock`` None where nobody counts it.

    ``home_price_minor``: the price in ``home_currency``, the shop's when the state was accepted, None where no rate was known;
    ``unit_cost_minor``: what a unit costs the shop, in ``currency``; ``stocked_at_ms``: when it last came into stock. None:
    unknown.
    """

    item_id: str
    title: str
    title_en: str | None
    category: str
    unit_price_minor: int
    currency: str
    stock: int | None
    status: str
    version: Version
    brand: str | None = None
    attributes: Attributes = ()
    region: str | None = None
    home_price_minor: int | None = None
    unit_cost_minor: int | None = None
    stocked_at_ms: int | None = None
    home_currency: str | None = None

    def at_home_in(self, currency: str | None) -> Item:
        """The item of a shop whose home currency is this one now (None: unknown). Where its stamp is of another one, its price
        is known at home only if that is its own currency.
        """
        if currency is None or currency == self.home_currency:
            return self
        price = self.unit_price_minor if self.currency == currency else None
        return replace(self, home_price_minor=price, home_currency=currency)

    @property
    def is_sellable(self) -> bool:
        """Whether it may be shown at all: active, and in stock where that is known."""
        return self.status == "active" and (self.stock is None or self.stock > 0)


class Catalogue:
    """Items of one shop by id. Readers see a plain dict; only its owner's writer threads change it, under the owner's lock."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self._changed: set[str] = set()  # items whose state is not the last snapshot's

    def get(self, item_id: str) -> Item | None:
        """The item's newest known state."""
        return self.items.get(item_id)

    def put(self, item: Item) -> bool:
        """Take over a state unless a newer one (or this one) is known; says whether it was taken."""
        known = self.items.get(item.item_id)
        if known is not None and known.version >= item.version:
            return False
        self.items[item.item_id] = item
        self._changed.add(item.item_id)
        return True

    def move_home(self, currency: str) -> None:
        """Take over the shop's home currency."""
        self.items = {item_id: item.at_home_in(currency) for item_id, item in self.items.items()}

    def put_snapshot(self, items: dict[str, Item]) -> None:
        """Replace the whole catalogue by a snapshot, keeping every state that is newer than the snapshot's.

        An item that the snapshot does not have is gone, unless an event has changed it that the snapshot cannot have seen yet:
        one that became known after its newest item, or within ``SEEN_AFTER_MS`` before.
        """
        merged = dict(items)
        seen_to_ms = max((item.version.received_at_ms for item in items.values()), default=-SEEN_AFTER_MS) - SEEN_AFTER_MS
        changed = set()
        for item_id, known in self.items.items():
            if item_id in items:
                is_newer = known.version > items[item_id].version
            else:
                is_newer = known.version.received_at_ms > seen_to_ms and item_id in self._changed
            if is_newer:
                merged[item_id] = known
                changed.add(item_id)
        self._changed = changed
        self.items = merged


def read_snapshot(lake: LakeVersion, currencies: Mapping[str, str]) -> dict[str, dict[str, Item]]:
    """Items of every shop in a version of the lake; ``currencies`` are the home currencies of shops now. Raises
    TableNotPublished, or duckdb.Error when a file cannot be read.
    """
    lake.require(TABLE)
    shops: dict[str, dict[str, Item]] = {}
    with open_lake(lake) as connection:
        asked = f"select epoch_ms(changed_at), epoch_ms(known_at), {_COLUMNS}, {_FACTS} from silver_items"
        rows = connection.execute(asked).fetchall()
    for changed_at, known_at, shop_id, item_id, title, title_en, category, price, currency, stock, status, *facts in rows:
        version = Version(changed_at or 0, known_at or 0, "")
        brand, attributes, *others = facts
        item = Item(
            *(item_id, title, title_en, category, price, currency, stock, status, version, brand, _attributes(attributes)),
            *others,
        ).at_home_in(currencies.get(shop_id))
        items = shops.setdefault(shop_id, {})
        if item.item_id not in items or items[item.item_id].version < item.version:
            items[item.item_id] = item
    return shops


def attributes_of(named: dict[str, str]) -> Attributes:
    """Attributes as an item keeps them."""
    return tuple(sorted(named.items()))


@lru_cache(maxsize=65_536)  # many items have the same ones, and share them
def _attributes(text: str | None) -> Attributes:
    return attributes_of(orjson.loads(text)) if text else ()
