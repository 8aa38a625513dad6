"""The shelf: one shop's release joined with its catalogue, as arrays by the release's item numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.algorithms.exploration import Belief
from serving.blend import NONE, Indices, Vector, scale
from serving.catalogue import Catalogue, Item
from serving.columns import Columns
from serving.kept_catalogues import JoinedItems


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

    def follow(self, given: Sequence[int]) -> tuple[Vector, Indices] | None:
        """Weights (items,) given the items of the page or cart, and (items,) the given item that added most, or −1."""

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
        """The model of a placement; None where the ladder answers."""

    def taste(self, person_id: str) -> Vector | None:
        """Long-term preference for every item, (items,), in any unit; None for a person unknown to the release."""

    def neighbours(self, number: int) -> tuple[Indices, Vector]:
        """Numbers of the items most similar to one item, and the similarities."""


@dataclass
class Shelf:
    """Arrays over the release's items that requests read; ``sellable`` and ``columns`` follow the catalogue item by item."""

    model: ServedModel
    number_of: dict[str, int]
    popularity: Vector
    categories: Indices
    popularity_in_category: Vector
    sellable: npt.NDArray[np.bool_]
    columns: Columns
    joined: JoinedItems | None = None  # the items that it was made of, where answers are logged with their inputs

    @property
    def size(self) -> int:
        """Items of the release."""
        return len(self.number_of)

    def refresh(self, item: Item) -> None:
        """Take over a changed item; an item that the release does not know waits for the next release."""
        number = self.number_of.get(item.item_id)
        if number is not None:
            self.sellable[number] = item.is_sellable
            self.columns.put(number, item)


def join_catalogue(model: ServedModel, catalogue: Catalogue) -> Shelf:
    """The shelf of a release and a catalogue. An item that the catalogue does not know is not sellable."""
    items = catalogue.items
    size = len(model.item_ids)
    sellable = np.zeros(size, dtype=np.bool_)
    categories = np.full(size, NONE, dtype=np.int64)
    number_of_category: dict[str, int] = {}
    for number, item_id in enumerate(model.item_ids):
        item = items.get(item_id)
        if item is None:
            continue
        sellable[number] = item.is_sellable
        categories[number] = number_of_category.setdefault(item.category, len(number_of_category))
    # Sales are spread over orders of magnitude; the root keeps the long tail visible to the blend.
    popularity = np.sqrt(scale(np.asarray(model.popularity, dtype=np.float32)))
    return Shelf(
        model=model,
        number_of={item_id: number for number, item_id in enumerate(model.item_ids)},
        popularity=popularity,
        categories=categories,
        popularity_in_category=_within(popularity, categories, len(number_of_category)),
        sellable=sellable,
        columns=Columns.of([items.get(item_id) for item_id in model.item_ids]),
    )


def _within(popularity: Vector, categories: Indices, kinds: int) -> Vector:
    top = np.zeros(kinds + 1, dtype=np.float32)
    np.maximum.at(top, categories, popularity)
    top[top == 0] = 1
    return (popularity / top[categories]).astype(np.float32)
