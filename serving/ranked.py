"""The ranker of a placement at one request: its sources' lists, then the score of each candidate on all that is known now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from models.algorithms.sparse_sums import NOTHING
from models.candidates.live_lists import LiveLists, LiveSources, order_lists
from models.candidates.person_lists import ORIGINS
from models.candidates.request_sources import LISTED, PLACES
from models.ranking.live_columns import LiveQuestion, live_columns
from models.ranking.live_ranker import LiveRanker, spread
from models.ranking.past_requests import fading_of_one
from serving.blend import Indices, Vector
from serving.candidates import SourceLists
from serving.eligible import Eligibility
from serving.moment import Moment, UsedFeatures, Values, plain
from serving.request import VisitContext
from serving.shelf import Shelf

# What a source weighs when the reason of an item is looked for: what everybody gets explains least.
_WEIGHTS = {"popularity": 0.1, "trending": 0.1, "taste": 0.5}
_FOR_ALL = sum(1 << number for number, name in enumerate(ORIGINS) if name in ("popularity", "trending"))  # a bit for each


@dataclass
class Ranked:
    """One request: the lists of the ranker's sources, and after ``score`` the columns and the features behind the scores."""

    ranker: LiveRanker
    lists: LiveLists
    asked: LiveQuestion
    moment: Moment
    persons: Sequence[str]
    visit: VisitContext
    shelf: Shelf
    numbers: Indices = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    table: np.ndarray | None = None
    _of_items: tuple[list[str], Values] | None = None
    _of_person: Values | None = None

    def score(self, numbers: Indices) -> Vector:
        """The score of each candidate, between 0 and 1."""
        self.numbers = numbers
        self.table = live_columns(self.lists, self.asked, self.ranker.facts, numbers, self._stored(numbers))
        return self.ranker.ranker.score(self.table)

    def columns_of(self, number: int) -> dict[str, float]:
        """What the trees saw of a candidate, by name, without what is 0 or unknown."""
        place = int(np.searchsorted(self.numbers, number))
        if self.table is None or place >= len(self.numbers) or self.numbers[place] != number:
            return {}
        names = self.ranker.names
        row = zip(names, self.table[place, : len(names)].tolist(), strict=True)
        return {name: round(value, 6) for name, value in row if value == value and value != 0}

    @property
    def visit_known(self) -> dict[str, str]:
        """Of channel, device and place what the request said and the ranker knows."""
        named = zip(self.visit._asdict().items(), self.asked.contexts.tolist(), strict=True)
        return {name: text for (name, text), column in named if text is not None and column >= 0}

    @cached_property
    def used(self) -> UsedFeatures:
        """The features that the last ``score`` read, as they are logged."""
        items = {} if self._of_items is None else dict(zip(self._of_items[0], plain(self._of_items[1]), strict=True))
        [person] = [[]] if self._of_person is None else plain(self._of_person)
        return UsedFeatures(self.moment.now_ms, self.moment.zone.key, items, person)

    def _stored(self, numbers: Indices) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Features of each candidate and of the person; None where nothing is read."""
        of_items = of_person = None
        moment, ranker = self.moment, self.ranker
        if moment.items is not None and ranker.item_views and len(numbers):
            item_ids = self.shelf.model.item_ids
            ids = [item_ids[number] for number in numbers.tolist()]
            values = moment.items(ranker.item_views, ids)
            of_items, self._of_items = spread(ranker.item_views, values, of_items=True), (ids, values)
        if moment.persons is not None and ranker.person_views and self.persons:
            values = moment.persons(ranker.person_views, self.persons)
            if len(values) > 1:
                known = np.flatnonzero(~np.isnan(values).all(axis=1))
                values = values[known[:1]] if len(known) else values[:1]  # of the first id of whom anything is known
            of_person, self._of_person = spread(ranker.person_views, values, of_items=False), values
        self.__dict__.pop("used", None)
        return of_items, of_person


def ask_ranker(
    ranker: LiveRanker, given: Sequence[int], last: tuple[list[int], list[float]], eligible: Eligibility, moment: Moment
) -> tuple[Ranked, SourceLists, bool, bool]:
    """The request's lists, the same as sources of an answer; whether any list is the person's own, and whether any of them
    answers from the given items. ``last``: numbers of the last items, newest first, and their age in seconds.
    """
    persons = ranker.persons(eligible.request.persons)
    sums = [model.follow(given) or NOTHING for model in ranker.contexts]
    recent, ages = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    if ranker.sources.recent:
        recent, ages = np.array(last[0], dtype=np.int64), np.array(last[1], dtype=np.float32)
        causes = list(zip(last[0], fading_of_one(ages).tolist(), strict=True))
        sums.append(eligible.shelf.model.similar(causes, 2 * LISTED))
    starts, entries = ranker.gather(sums, persons)
    lists, brought = order_lists(starts, entries, eligible.shown_not(entries.items), LISTED, PLACES)
    first = len(ranker.contexts)
    of_persons = lists.origins.tolist()[first : first + len(ranker.sources.lists)]
    is_personal = len(recent) > 0 or any([origins and not origins & _FOR_ALL for origins in of_persons])
    newest, person = given[-1] if given else -1, persons[0] if persons else -1
    at = moment.local
    request = eligible.request
    contexts = ranker.facts.contexts.columns_here(request.visit)
    question = LiveQuestion(person, moment.now_ms, newest, len(given), recent, ages, at.hour, at.weekday(), contexts)
    is_followed = bool(lists.starts[first] > 0)
    ranked = Ranked(ranker, lists, question, moment, request.persons, request.visit, eligible.shelf)
    return ranked, _sources(brought, ranker.reasons), is_personal, is_followed


def _sources(brought: LiveSources, names: Sequence[str]) -> SourceLists:
    """Sources of an answer; lists of persons name the origin of their entries."""
    named = [names[number] or ORIGINS[origin] for number, origin in brought.origin_of.tolist()]
    weights = np.array([_WEIGHTS.get(name, 1.0) for name in named], dtype=np.float32)
    return SourceLists(named, weights, brought.starts[1:], brought.items, brought.strength, brought.because)
