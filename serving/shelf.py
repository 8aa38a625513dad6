"""The shelf: one shop's release joined with its catalogue, as arrays by the release's item numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.algorithms.exploration import Belief
from models.algorithms.sparse_sums import Sums
from models.candidates.usual_prices import UsualPrices
from models.ranking.live_ranker import LiveRanker
from models.release.ids import Ids, NumberOfId
from serving.best_sellers import Postings, by_sales
from serving.blend import NONE, Indices, Vector, scale
from serving.candidates import QUOTAS, Quotas
from serving.catalogue import Catalogue, Item
from serving.columns import Columns
from serving.kept_catalogues import JoinedItems
from serving.offers import Offers

_NO_ITEMS = np.empty(0, dtype=np.int64)


class ScoredList(Protocol):
    """A list, best first, as four arrays of one length: items, weights above zero, origins and causes."""

    @property
    def items(self) -> Indices:
        """Item numbers."""

    @property
    def weights(self) -> Vector:
        """Weights above zero."""

    @property
    def origins(self) -> Sequence[str]:
        """Source of each entry, a name of ``serving.reasons``."""

    @property
    def because(self) -> Indices:
        """Number of the item that caused each entry, or −1."""


class Preference(Protocol):
    """What a person likes, in any unit."""

    def best(self, most: int) -> Indices:
        """Numbers of the ``most`` items liked best, in any order; an approximate search may miss some."""

    def of(self, items: Indices) -> Vector:
        """Preference for each of the items."""


class Placed(Protocol):
    """The model that a release names for one placement."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def personal_share(self) -> float:
        """Factor of the personal list; the scores from the given items have factor 1."""

    @property
    def reason(self) -> str | None:
        """Source of the scores from the given items, a name of ``serving.reasons``."""

    def follow(self, given: Sequence[int]) -> Sums | None:
        """The items that go best with those of the page or cart, with weights and the given item that added most, or −1."""

    def personal(self, person_id: str) -> ScoredList | None:
        """The list of a person whom the model knows."""


class ServedNewcomers(Protocol):
    """Items without sales yet, by number, with the posterior of their click rates."""

    @property
    def items(self) -> Indices:
        """Item numbers."""

    @property
    def belief(self) -> Belief:
        """Posterior of the click rate of each."""

    @property
    def looked_at(self) -> npt.NDArray[np.float64] | None:
        """How often each place of a list is looked at; None where the belief cannot learn on."""

    @property
    def known_to_ms(self) -> int:
        """Until when (epoch ms) acts are in the belief."""


class ServedModel(Protocol):
    """A release as serving uses it; items are numbered as in ``item_ids``."""

    @property
    def version(self) -> str:
        """Name of the release."""

    @property
    def item_ids(self) -> Sequence[str]:
        """Ids by number."""

    @property
    def popularity(self) -> Vector:
        """Sales of each item, (items,), in any non-negative unit."""

    @property
    def placement_notes(self) -> Mapping[str, str]:
        """By placement: the name of its model and the gate's sentence, or ``ladder`` and the reason."""

    @property
    def newcomers(self) -> ServedNewcomers | None:
        """New items to explore; None when there are none."""

    @property
    def quotas(self) -> Mapping[str, Mapping[str, int]]:
        """By placement how much other sources bring beside its model, as the gate chose it."""

    @property
    def usual_prices(self) -> UsualPrices | None:
        """What items usually cost; None where the release does not know."""

    @property
    def is_bought_again(self) -> npt.NDArray[np.bool_]:
        """Items (items,) that are offered again to who has just paid for them."""

    def purchases(self, person_id: str) -> Indices:
        """Numbers of the items that a person bought, as far as the release knows; none for a stranger."""

    def newcomers_near(self, person_id: str) -> Indices | None:
        """Numbers of new items nearest to a person's taste, best first; None for an unknown person."""

    @property
    def sold_placements(self) -> frozenset[str]:
        """Placements that what sells answers, because not even the ladder is better."""

    def placement(self, name: str) -> Placed | None:
        """The model of a placement; None where the ladder answers, or a ranker."""

    def ranker(self, name: str) -> LiveRanker | None:
        """The ranker of a placement that has one instead of a model."""

    def taste(self, person_id: str) -> Preference | None:
        """Long-term preference; None for a person unknown to the release."""

    def similar(self, causes: Sequence[tuple[int, float]], most: int) -> Sums:
        """The items most similar to some items (number, weight), with weighted sums of similarities and the item that added
        most. An item is not similar to itself.
        """


@dataclass
class Shelf:
    """Arrays over the release's items that requests read; ``sellable``, ``columns``, ``offers`` and the orders of a category
    and a brand follow the catalogue item by item. ``item_ids`` are the catalogue's own strings, which it finds its items by
    without making others. ``categories`` are codes of ``columns.category`` when it was made, or −1.
    """

    model: ServedModel
    number_of: NumberOfId
    item_ids: list[str]
    popularity: Vector
    categories: Indices
    popularity_in_category: Vector
    sellable: npt.NDArray[np.bool_]
    columns: Columns
    by_sales: Indices
    by_category: Postings
    by_brand: Postings
    offers: Offers
    quotas: Mapping[str, Quotas]  # of placements that have others than ``QUOTAS``
    joined: JoinedItems | None = None  # the items that it was made of, where answers are logged with their inputs
    none: npt.NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """A mask of nothing, for requests that need one."""
        self.none = np.zeros(len(self.number_of), dtype=np.bool_)

    def changed_since(self, changes: int) -> Indices | None:
        """Items that changed after so many changes; None where that is too long ago to be known."""
        newer = self.columns.changes - changes
        if newer == 0:
            return _NO_ITEMS
        # One more than counted: a change is written down before it is counted.
        changed = self.columns.changed[-newer - 1 :]
        return np.array(changed, dtype=np.int64) if newer <= len(changed) else None

    @property
    def size(self) -> int:
        """Items of the release."""
        return len(self.number_of)

    def refresh(self, item: Item) -> None:
        """Take over a changed item; an item that the release does not know waits for the next release."""
        number = self.number_of.get(item.item_id)
        if number is None:
            return
        ordered = ((self.columns.category, self.by_category), (self.columns.brand, self.by_brand))
        before = [int(column.codes[number]) for column, _ in ordered]
        stocked_before_ms = float(self.columns.stocked_at_ms[number])
        self.sellable[number] = item.is_sellable
        self.columns.put(number, item)
        self.offers.refresh(number, item, stocked_before_ms)
        for (column, postings), code in zip(ordered, before, strict=True):
            if column.codes[number] != code:
                postings.put(int(column.codes[number]), number)


def join_catalogue(model: ServedModel, catalogue: Catalogue) -> Shelf:
    """The shelf of a release and a catalogue. An item that the catalogue does not know is not sellable."""
    known = [catalogue.items.get(item_id) for item_id in model.item_ids]
    columns = Columns.of(known)
    codes = columns.category.codes
    categories = np.where(np.fromiter((item is not None for item in known), dtype=np.bool_, count=len(known)), codes, NONE)
    # Sales are spread over orders of magnitude; the root keeps the long tail visible to the blend.
    popularity = np.sqrt(scale(np.asarray(model.popularity, dtype=np.float32)))
    order = by_sales(popularity)
    ids = model.item_ids if isinstance(model.item_ids, Ids) else Ids.of(model.item_ids)
    return Shelf(
        model=model,
        number_of=ids.numbers,
        item_ids=[item_id if item is None else item.item_id for item_id, item in zip(model.item_ids, known, strict=True)],
        popularity=popularity,
        categories=categories.astype(np.int64),
        popularity_in_category=_within(popularity, categories, len(columns.category.values)),
        sellable=np.fromiter((item is not None and item.is_sellable for item in known), dtype=np.bool_, count=len(known)),
        columns=columns,
        by_sales=order,
        by_category=Postings.of(codes, order),
        by_brand=Postings.of(columns.brand.codes, order),
        offers=Offers.of(known, columns.stocked_at_ms, model.usual_prices),
        quotas={placement: replace(QUOTAS, **most) for placement, most in model.quotas.items() if most},
    )


def _within(popularity: Vector, categories: Indices, kinds: int) -> Vector:
    top = np.zeros(kinds + 1, dtype=np.float32)
    np.maximum.at(top, categories, popularity)
    top[top == 0] = 1
    return (popularity / top[categories]).astype(np.float32)
