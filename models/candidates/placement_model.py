"""A placement's model as serving uses it: one request at a time."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from models.algorithms.item_rules import RulesOfItems
from models.algorithms.recommender import Items, Scores
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_knn_query import LiveSessionKNN
from models.algorithms.session_model import SessionModel
from models.candidates.context_models import CONTEXTS
from models.candidates.person_lists import PersonalList
from models.candidates.recipes import Fitted, Recipe
from models.data.visits import LOOKED_BACK

MOST_FOLLOWERS = 300


class PlacementModel:
    """What the release names for a placement. It may be asked from several threads at once."""

    def __init__(self, recipe: Recipe, fitted: Fitted, number_of_person: dict[str, int], items: int) -> None:
        self.name = recipe.name
        self.personal_share = recipe.personal_share if recipe.context is not None else 1.0
        self.reason = None if recipe.context is None else CONTEXTS[recipe.context].reason
        self._context = None if recipe.context is None else _live(fitted.contexts[recipe.context], items)
        self._lists = None if recipe.personal is None else fitted.lists[recipe.personal]
        self._number_of_person = number_of_person

    def follow(self, given: Sequence[int]) -> tuple[Scores, Items] | None:
        """What goes with the given items (oldest first): a weight of every item, and the given item that gave it most, or −1.

        None for a model that does not look at what is given, and where it knows nothing of it.
        """
        if self._context is None or not given:
            return None
        weights, because = self._context.ask(list(given)[-LOOKED_BACK:])
        return (weights, because) if weights.any() else None

    def personal(self, person_id: str) -> PersonalList | None:
        """The person's list; None for a model that knows no persons, and for a stranger."""
        number = self._number_of_person.get(person_id)
        if self._lists is None or number is None:
            return None
        entries = self._lists.of_person(number)
        return entries if len(entries.items) else None


class _LiveRules:
    """Rules from item to item, asked for one prefix."""

    def __init__(self, model: RulesOfItems, items: int) -> None:
        self._model = model
        self._items = items

    def ask(self, given: list[int]) -> tuple[Scores, Items]:
        total, best = np.zeros(self._items, dtype=np.float32), np.zeros(self._items, dtype=np.float32)
        because = np.full(self._items, -1, dtype=np.int64)
        for item, weight in self._model.asked(given):
            followers, values = self._model.rules_of(item)
            contribution = values * np.float32(weight)
            total[followers] += contribution
            ahead = contribution > best[followers]
            best[followers[ahead]] = contribution[ahead]
            because[followers[ahead]] = item
        return total, because


class _LiveSessions:
    """Session kNN, asked for one prefix; under a lock, because it accumulates in shared arrays."""

    def __init__(self, model: SessionKNN, items: int) -> None:
        self._model = LiveSessionKNN(model)
        self._items = items
        self._lock = Lock()

    def ask(self, given: list[int]) -> tuple[Scores, Items]:
        with self._lock:
            followers, values = self._model.ask(np.asarray(given, dtype=np.int64), MOST_FOLLOWERS)
        total, because = np.zeros(self._items, dtype=np.float32), np.full(self._items, -1, dtype=np.int64)
        total[followers], because[followers] = values, given[-1]
        return total, because


def _live(model: SessionModel, items: int) -> _LiveRules | _LiveSessions:
    if isinstance(model, SessionKNN):
        live = _LiveSessions(model, items)
        live.ask([0])  # compiles, or loads what is compiled, before anybody waits for it
        return live
    if isinstance(model, RulesOfItems):
        return _LiveRules(model, items)
    raise TypeError(f"{model.name} has no form for one request at a time")
