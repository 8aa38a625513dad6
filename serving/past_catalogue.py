"""The catalogue of a shop as it was known at a cut and at every later moment, for who answers the questions of those days.

An item of which the catalogue said nothing yet, though persons had acted on it, was there all the same: its shop sent the
catalogue later. From its first act on it may be sold; its stock, what it cost and when it came into stock are not known, and
what it is, is what its first state says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC

import numpy as np

from jishi.catalogue import ItemState, catalogue_as_of, catalogue_changes
from jishi.contract.fields import parse_instant, to_ms
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from models.data.interactions import instant
from models.data.known_acts import KNOWN_ACTS
from serving.catalogue import Catalogue, Item, Version, attributes_of, read_snapshot
from serving.shelf import ServedModel, Shelf, join_catalogue


@dataclass(frozen=True)
class ItemChange:
    """A state of an item, and since when it counts (epoch ms)."""

    at_ms: int
    item: Item


class PastCatalogue:
    """A catalogue at a moment that only goes on, and the shelves that go with it."""

    def __init__(self, items: Mapping[str, Item], changes: Sequence[ItemChange]) -> None:
        self.catalogue = Catalogue()
        self.catalogue.put_snapshot(dict(items))
        self._changes, self._done, self._shelves = changes, 0, list[Shelf]()

    @classmethod
    def read(cls, lake: LakeVersion, shop_id: str, cut: np.datetime64) -> PastCatalogue:
        """The catalogue of a shop at an instant (UTC). Raises TableNotPublished, or duckdb.Error when a file cannot be read."""
        at = instant(cut).replace(tzinfo=UTC)
        items = {state.item_id: item_of(state) for state in filter(_is_whole, catalogue_as_of(lake, shop_id, at, known_by=at))}
        later = filter(_is_whole, catalogue_changes(lake, shop_id, at))
        changes = [ItemChange(to_ms(state.counts_from), item_of(state)) for state in later]
        first = {change.item.item_id: change.item for change in reversed(changes)}
        acted_on = {item_id: at_ms for item_id, at_ms in _first_acts(lake, shop_id).items() if item_id not in items}
        if not first.keys() >= acted_on.keys():  # an item that the log does not describe is as silver has it
            first = read_snapshot(lake, {}).get(shop_id, {}) | first
        there = [ItemChange(at_ms, _undescribed(first[item_id])) for item_id, at_ms in acted_on.items()]
        past = cls(items, sorted([*there, *changes], key=lambda change: change.at_ms))
        past.move_to(to_ms(at))
        return past

    def shelf(self, model: ServedModel) -> Shelf:
        """A release joined with the catalogue, which it follows from now on."""
        self._shelves.append(join_catalogue(model, self.catalogue))
        return self._shelves[-1]

    def move_to(self, now_ms: int) -> None:
        """Take over what changed up to a moment (epoch ms); one of before stays where the catalogue is."""
        while self._done < len(self._changes) and self._changes[self._done].at_ms <= now_ms:
            item = self._changes[self._done].item
            self._done += 1
            if self.catalogue.put(item):
                for shelf in self._shelves:
                    shelf.refresh(item)


def _is_whole(state: ItemState) -> bool:
    """Whether a state says all that the contract asks of one; serving follows no other live."""
    return all(state.properties.get(name) is not None for name in ("title", "category", "unit_price_minor", "currency"))


def item_of(state: ItemState) -> Item:
    """The item that a state of the log describes, as serving knows it."""
    stated = state.properties
    stocked_at, home_currency, price = stated.get("stocked_at"), stated.get("home_currency"), stated["unit_price_minor"]
    return Item(
        item_id=state.item_id,
        title=stated["title"],
        title_en=stated.get("title_en"),
        category=stated["category"],
        unit_price_minor=price,
        currency=stated["currency"],
        stock=stated.get("stock"),
        status=stated.get("status") or "active",
        version=Version(to_ms(state.changed_at), to_ms(state.received_at), state.event_id),
        brand=stated.get("brand"),
        attributes=attributes_of(stated.get("attributes") or {}),
        region=stated.get("region"),
        home_price_minor=price if home_currency is None else stated.get("home_unit_price_minor"),
        unit_cost_minor=stated.get("unit_cost_minor"),
        stocked_at_ms=None if stocked_at is None else to_ms(parse_instant(stocked_at)),
        home_currency=home_currency or stated["currency"],
    )


def _undescribed(item: Item) -> Item:
    """An item of whose state nothing is known but what it is: older than every state that the log has."""
    known = replace(item, stock=None, status="active", version=Version(0, 0, ""), region=None)
    return replace(known, home_price_minor=None, unit_cost_minor=None, stocked_at_ms=None)


def _first_acts(lake: LakeVersion, shop_id: str) -> dict[str, int]:
    """By item of the catalogue since when (epoch ms) an act on it was known."""
    asked = f"""
        select a.item_id, epoch_ms(min(greatest(a.occurred_at, a.known_at))) from {KNOWN_ACTS} as a
        semi join silver_items as i on a.shop_id = i.shop_id and a.item_id = i.item_id
        where a.shop_id = ? group by 1
    """
    with open_lake(lake) as connection:
        return dict(connection.execute(asked, [shop_id]).fetchall())
