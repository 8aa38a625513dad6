"""The shelf: one release and one catalogue of one shop joined, aligned with the release's item numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.explore import Belief
from serving.blend import NONE, Indices, Vector, scale
from serving.catalogue import Catalogue, Item


class OwnList(Protocol):
    """A person's list, best first: item numbers, weights above zero, why each is there, and the item that was the cause."""

    @property
    def items(self) -> Indices:
        """Item numbers."""

    @property
    def weights(self) -> Vector:
        """Weights above zero."""

    @property
    def origins(self) -> Sequence[str]:
        """Why each is there; a source of ``serving.reasons``."""

    @property
    def because(self) -> Indices:
        """The item that was the cause, or −1."""


class Placed(Protocol):
    """The model that a release names for a placement."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def own_share(self) -> float:
        """How much the person's list counts beside what goes with the given items."""

    @property
    def reason(self) -> str | None:
        """The source of ``serving.reasons`` of what goes with the given items."""

    def follow(self, given: Sequence[int]) -> tuple[Vector, Indices] | None:
        """What goes with the given items: a weight of every item, and the given item that gave it most, or −1."""

    def own(self, person_id: str) -> OwnList | None:
        """The list of a person whom the model knows."""


class Newcomers(Protocol):
    """Items that are new in the shop, by number, and what is believed of them."""

    @property
    def items(self) -> Indices:
        """Item numbers."""

    @property
    def belief(self) -> Belief:
        """Of the click rate of each."""


class Model(Protocol):
    """What serving asks of a release; items are numbered as in ``item_ids``."""

    @property
    def version(self) -> str:
        """Name of the release."""

    @property
    def item_ids(self) -> Sequence[str]:
        """Ids by number."""

    @property
    def popularity(self) -> Vector:
        """How much each item sells, in any unit that is not negative."""

    @property
    def told_of_placements(self) -> Mapping[str, str]:
        """Of each placement the name of its model and what the gate found, or ``ladder`` and why."""

    @property
    def newcomers(self) -> Newcomers | None:
        """New items to explore; None when there are none."""

    def newcomers_near(self, person_id: str) -> Indices | None:
        """New items nearest to a person's taste, best first; None for a person of whom nothing is known."""

    def placement(self, name: str) -> Placed | None:
        """The model of a placement; None where the ladder answers."""

    def taste(self, person_id: str) -> Vector | None:
        """Long-term preference of a person for every item, in any unit; None for a person whom the release does not know."""

    def neighbours(self, number: int) -> tuple[Indices, Vector]:
        """Items near one item, and how near each is."""


@dataclass
class Shelf:
    """What a request reads: arrays over the release's items. ``sellable`` is kept up to date item by item."""

    model: Model
    number_of: dict[str, int]
    popularity: Vector
    categories: Indices
    popularity_in_category: Vector
    sellable: npt.NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Items of the release."""
        return len(self.number_of)

    def refresh(self, item: Item) -> None:
        """Take over a changed item; an item that the release does not know waits for the next release."""
        number = self.number_of.get(item.item_id)
        if number is not None:
            self.sellable[number] = item.is_sellable


def join(model: Model, catalogue: Catalogue) -> Shelf:
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
    )


def _within(popularity: Vector, categories: Indices, kinds: int) -> Vector:
    top = np.zeros(kinds + 1, dtype=np.float32)
    np.maximum.at(top, categories, popularity)
    top[top == 0] = 1
    return (popularity / top[categories]).astype(np.float32)
