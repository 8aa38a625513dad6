"""A placement's model as serving uses it: one request at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np

from models.algorithms.item_rules import RulesOfItems
from models.algorithms.session_blend import SessionBlend
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_knn_query import LiveSessionKNN
from models.algorithms.session_mix import SessionMix
from models.algorithms.session_model import SessionModel
from models.algorithms.sparse_sums import Sums
from models.candidates.context_models import CONTEXTS
from models.candidates.person_lists import PersonalList
from models.candidates.recipes import Fitted, Recipe
from models.data.visits import LOOKED_BACK

MOST_FOLLOWERS = 300
MOST_OF_RULES = 2_000  # filters may turn many of them away


class PlacementModel:
    """What the release names for a placement. It may be asked from several threads at once."""

    def __init__(self, recipe: Recipe, fitted: Fitted, number_of_person: Mapping[str, int]) -> None:
        self.name = recipe.name
        self.personal_share = recipe.personal_share if recipe.context is not None else 1.0
        self.reason = None if recipe.context is None else CONTEXTS[recipe.context].reason
        self._context = None if recipe.context is None else _live(fitted.contexts[recipe.context])
        self._lists = None if recipe.personal is None else fitted.lists[recipe.personal]
        self._number_of_person = number_of_person

    def follow(self, given: Sequence[int]) -> Sums | None:
        """What goes with the given items (oldest first): the best items, their weights, and the given item that gave each most.

        None for a model that does not look at what is given, and where it knows nothing of it.
        """
        if self._context is None or not given:
            return None
        result = self._context.ask(list(given)[-LOOKED_BACK:])
        return result if len(result.items) else None

    def personal(self, person_id: str) -> PersonalList | None:
        """The person's list; None for a model that knows no persons, and for a stranger."""
        number = self._number_of_person.get(person_id)
        if self._lists is None or number is None:
            return None
        entries = self._lists.of_person(number)
        return entries if len(entries.items) else None


class _LiveRules:
    """Rules from item to item, asked for one prefix."""

    def __init__(self, model: RulesOfItems) -> None:
        self._model = model
        self._sums = model.sums()

    def ask(self, given: list[int]) -> Sums:
        return self._sums.weighed(*self._model.asked(given), MOST_OF_RULES)


class _LiveSessions:
    """Session kNN, asked for one prefix; under a lock, because it accumulates in shared arrays."""

    def __init__(self, model: SessionKNN) -> None:
        self._model = LiveSessionKNN(model)
        self._lock = Lock()

    def ask(self, given: list[int]) -> Sums:
        with self._lock:
            followers, values = self._model.ask(np.asarray(given, dtype=np.int64), MOST_FOLLOWERS)
        return Sums(followers, values, np.full(len(followers), given[-1], dtype=np.int64))


class _LiveMix:
    """A mix of sessions, asked for one prefix part by part."""

    def __init__(self, model: SessionMix) -> None:
        self._shares, self._repeats = model.shares, model.repeats_
        self._walk, self._sessions = _LiveRules(model.walk_), _LiveSessions(model.knn_)

    def ask(self, given: list[int]) -> Sums:
        walk, sessions = self._walk.ask(given), self._sessions.ask(given)
        seen, rates = self._repeats.ask(given)
        parts = ((walk.items, walk.weights), (sessions.items, sessions.weights), (seen, rates))
        scaled = [share * weights / weights.max(initial=1e-12) for share, (_, weights) in zip(self._shares, parts, strict=True)]
        items, place = np.unique(np.concatenate([each for each, _ in parts]), return_inverse=True)
        because = np.full(len(items), given[-1], dtype=np.int64)
        because[place[: len(walk.items)]] = walk.because
        return Sums(items, np.bincount(place, weights=np.concatenate(scaled)).astype(np.float32), because)


class _LiveBlend:
    """A blend of sessions, asked for one prefix."""

    def __init__(self, model: SessionBlend) -> None:
        self._model, self._query = model, model.query()

    def ask(self, given: list[int]) -> Sums:
        items, chances = self._model.ask(self._query, np.asarray(given, dtype=np.int64))
        return Sums(items, chances, np.full(len(items), given[-1], dtype=np.int64))


def _live(model: SessionModel) -> _LiveRules | _LiveSessions | _LiveMix | _LiveBlend:
    live: _LiveRules | _LiveSessions | _LiveMix | _LiveBlend
    if isinstance(model, SessionKNN):
        live = _LiveSessions(model)
    elif isinstance(model, SessionMix):
        live = _LiveMix(model)
    elif isinstance(model, SessionBlend):
        live = _LiveBlend(model)
    elif isinstance(model, RulesOfItems):
        live = _LiveRules(model)
    else:
        raise TypeError(f"{model.name} has no form for one request at a time")
    live.ask([0])  # compiles, or loads what is compiled, before anybody waits for it
    return live
