"""One slot of a list for an item that is new in the shop, within a budget, with the probability of what was done.

The items and what is believed of them come with the release (``models.candidates.newcomers``); the decision is
``models.algorithms.exploration``'s. A known person may be shown the new items nearest to their taste; a stranger those of the
categories of the page, the cart or the order, and where there is none of these any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from threading import Lock

import numpy as np

from models.algorithms.exploration import Belief, Budget, Decision, Explorer, allows_any
from models.candidates.newcomers import EXPLORED_PLACE
from serving.blend import NONE, Indices, Mask
from serving.catalogue import Catalogue, Item
from serving.eligible import Eligibility
from serving.reasons import explain
from serving.recommend import Answer, Recommended
from serving.request import Request
from serving.shelf import ServedModel, Shelf

SLOT = EXPLORED_PLACE  # the fifth place
SHARE, WINDOW = 0.02, 500  # of any 500 consecutive slots of a placement at most 10 explore
RATE = 0.2  # of the lists while there is budget
NEAREST = 20  # new items that a known person may be shown


@dataclass
class Exploration:
    """The explorers of one shop, one a placement; ``use`` takes over the newcomers of a release."""

    _explorers: dict[str, Explorer] = field(default_factory=dict)
    _believing: Explorer = field(default_factory=lambda: Explorer(Budget(SHARE, WINDOW), SLOT, RATE))
    _model: ServedModel | None = None
    _lock: Lock = field(default_factory=Lock)

    def use(self, model: ServedModel, learnt: Belief | None = None) -> None:
        """Believe what a release says, or what was ``learnt`` of its new items since; budgets go on."""
        self.take(self.prepared(model, learnt))

    @staticmethod
    def prepared(model: ServedModel, learnt: Belief | None = None) -> tuple[ServedModel, Explorer]:
        """What ``take`` takes; this is the part that lasts a moment, and that may raise."""
        newcomers = model.newcomers
        belief = Belief(np.empty(0), np.empty(0)) if newcomers is None else learnt or newcomers.belief
        believing = Explorer(Budget(SHARE, WINDOW), SLOT, RATE)
        believing.update(belief)
        return model, believing

    def take(self, prepared: tuple[ServedModel, Explorer]) -> None:
        """Go by what was prepared from now on."""
        with self._lock:
            self._model, self._believing = prepared
            for explorer in self._explorers.values():
                explorer.take_over(self._believing)

    def decide(
        self,
        placement: str,
        model: ServedModel,
        slots: int,
        eligible: Mask,
        rng: np.random.Generator,
        allows: Callable[[int], bool] = allows_any,
    ) -> Decision | None:
        """The decision on a list of ``slots``; None when the release is not the one that the belief is on."""
        with self._lock:
            if model is not self._model:
                return None
            explorer = self._explorers.get(placement)
            if explorer is None:
                explorer = self._explorers[placement] = Explorer(Budget(SHARE, WINDOW), SLOT, RATE)
                explorer.take_over(self._believing)
            return explorer.decide(slots, eligible, rng, allows)


def luck_of(request_id: str) -> np.random.Generator:
    """The random numbers of a request: they follow from its id alone, so that a logged decision can be made again."""
    return np.random.default_rng(int.from_bytes(sha256(request_id.encode()).digest()[:16]))


def explore(
    answer: Answer, request: Request, shelf: Shelf, catalogue: Catalogue, exploration: Exploration, rng: np.random.Generator
) -> tuple[Answer, Decision | None]:
    """The answer, perhaps with a new item in the slot, and the decision; None where there is nothing to decide."""
    newcomers = shelf.model.newcomers
    if newcomers is None or len(newcomers.items) == 0 or len(answer.items) <= SLOT or answer.is_pinned(SLOT):
        return answer, None
    numbers, ids = newcomers.items, shelf.item_ids
    hidden = request.shown_not(shelf)
    kept_out = {one.item.item_id for one in answer.items} | hidden

    def allows(place: int) -> bool:
        """The guard, by the catalogue as it is now."""
        item = catalogue.get(ids[numbers[place]])
        return item is not None and item.is_sellable and item.item_id not in kept_out and answer.may_hold(item, request)

    places = _eligible(answer, request, shelf, hidden)
    if len(places) <= NEAREST:
        places = np.array([place for place in places.tolist() if allows(place)], dtype=np.int64)
    else:  # the one that is drawn is looked at
        places = places[~np.isin(numbers[places], [shelf.number_of.get(one.item.item_id, NONE) for one in answer.items])]
    eligible = np.zeros(len(numbers), dtype=np.bool_)
    eligible[places] = True
    decision = exploration.decide(request.placement, shelf.model, len(answer.items), eligible, rng, allows)
    item = None if decision is None or decision.item is None else catalogue.get(ids[numbers[decision.item]])
    return answer if item is None else with_explored(answer, item), decision


def with_explored(answer: Answer, item: Item) -> Answer:
    """The answer with a new item in the slot; what stood there and below moves down, the last one out."""
    workings = answer.workings
    place = NONE if workings is None else workings.candidates.place(workings.shelf.number_of.get(item.item_id))
    shown = Recommended(item, answer.items[SLOT].score, explain("new", None), place)
    # What a rule pinned behind the slot stays where it is: the new item takes a place instead of making one.
    follows = SLOT + any(answer.is_pinned(place) for place in range(SLOT, len(answer.items)))
    return replace(answer, items=[*answer.items[:SLOT], shown, *answer.items[follows:]][: len(answer.items)])


def chances_by_id(decision: Decision, shelf: Shelf) -> dict[str, float]:
    """Probability of each eligible item in a slot that explores, by id."""
    newcomers = shelf.model.newcomers
    assert newcomers is not None
    places = np.flatnonzero(decision.chances)
    numbers = newcomers.items[places].tolist()
    return {shelf.model.item_ids[number]: float(decision.chances[place]) for number, place in zip(numbers, places, strict=True)}


def _eligible(answer: Answer, request: Request, shelf: Shelf, hidden: set[str]) -> Indices:
    """Places of the new items that may be shown to this person in this list, as the shelf knows them. The slot is no last
    place.
    """
    newcomers = shelf.model.newcomers
    assert newcomers is not None
    near = next((near for person in request.persons if (near := shelf.model.newcomers_near(person)) is not None), None)
    if near is None:
        places = _near_the_page(request, shelf, newcomers.items)
    else:
        places = np.flatnonzero(np.isin(newcomers.items, near[:NEAREST]))
    numbers = newcomers.items[places]
    sellable, out, behind = Eligibility(request, shelf, answer.rules, hidden).masks(numbers)
    return places[sellable & ~out & ~behind]


def _near_the_page(request: Request, shelf: Shelf, numbers: Indices) -> Indices:
    """Places of the items that are of the categories that the page, the cart or the order is about; all, where there is nothing
    to be near to.
    """
    asked = [*request.cart, *request.order, *([] if request.item_id is None else [request.item_id])]
    if not asked:
        return np.arange(len(numbers))
    kinds = {int(shelf.categories[shelf.number_of[each]]) for each in asked if each in shelf.number_of} - {NONE}
    return np.flatnonzero(np.isin(shelf.categories[numbers], list(kinds)))
