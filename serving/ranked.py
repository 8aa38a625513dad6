"""The ranker of a placement at one request: its sources' lists, then the score of each candidate on all that is known now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.candidates.request_sources import LISTED, PLACES
from models.data.sequences import Numbers
from models.ranking.listed import Listed, RequestPairs
from models.ranking.live_ranker import LiveRanker, spread
from models.ranking.past_requests import fading
from models.ranking.request_columns import Questions, clock, columns, nothing_stored
from serving.blend import Indices, Vector, scale
from serving.candidates import Source
from serving.eligible import Eligibility
from serving.moment import Moment, UsedFeatures, plain
from serving.shelf import Shelf

# What a source weighs when the reason of an item is looked for: what everybody gets explains least.
_WEIGHTS = {"popularity": 0.1, "trending": 0.1, "taste": 0.5}


@dataclass
class Ranked:
    """One request: the lists of the ranker's sources, and after ``score`` the columns and the features behind the scores."""

    ranker: LiveRanker
    lists: list[Listed]
    asked: Questions
    moment: Moment
    persons: Sequence[str]
    shelf: Shelf
    numbers: Indices = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    table: np.ndarray | None = None
    used: UsedFeatures | None = None

    def score(self, numbers: Indices) -> Vector:
        """The score of each candidate, between 0 and 1."""
        pairs = RequestPairs.of_row(numbers)
        stored = self._stored(numbers, pairs)
        self.numbers = numbers
        self.table = columns(self.lists, self.asked, self.ranker.facts, pairs, stored)
        return self.ranker.ranker.score(self.table)

    def columns_of(self, number: int) -> dict[str, float]:
        """What the trees saw of a candidate, by name, without what is 0 or unknown."""
        place = int(np.searchsorted(self.numbers, number))
        if self.table is None or place >= len(self.numbers) or self.numbers[place] != number:
            return {}
        row = zip(self.ranker.names, self.table[place].tolist(), strict=True)
        return {name: round(value, 6) for name, value in row if value == value and value != 0}

    def _stored(self, numbers: Indices, pairs: RequestPairs) -> tuple[np.ndarray, np.ndarray]:
        of_items, of_person = nothing_stored(self.asked, pairs)
        moment, ranker = self.moment, self.ranker
        items: dict[str, list[float | None]] = {}
        person: list[float | None] = []
        if moment.items is not None and ranker.item_views and len(numbers):
            ids = [self.shelf.model.item_ids[number] for number in numbers.tolist()]
            values = moment.items(ranker.item_views, ids)
            of_items, items = spread(ranker.item_views, values, of_items=True), dict(zip(ids, plain(values), strict=True))
        if moment.persons is not None and ranker.person_views and self.persons:
            values = moment.persons(ranker.person_views, self.persons)
            known = np.flatnonzero(~np.isnan(values).all(axis=1))
            values = values[known[:1]] if len(known) else values[:1]  # of the first id of whom anything is known
            of_person, [person] = spread(ranker.person_views, values, of_items=False), plain(values)
        self.used = UsedFeatures(moment.now_ms, moment.zone.key, items, person)
        return of_items, of_person


def ask_ranker(
    ranker: LiveRanker, given: Sequence[int], last: tuple[list[int], list[float]], eligible: Eligibility, moment: Moment
) -> tuple[Ranked, list[Source], bool]:
    """The request's lists, the same as sources of an answer, and whether any of them is the person's own. ``last``: numbers of
    the last items, newest first, and their age in seconds.
    """
    request, shelf = eligible.request, eligible.shelf
    lists, sources, is_personal = [], [], False
    for model in ranker.contexts:
        sums = model.follow(given)
        items, weights, because = (_NONE, _NO_WEIGHTS, _NONE) if sums is None else sums
        kept = ~eligible.shown_not(items)
        lists.append(Listed.one(items[kept], weights[kept], LISTED))
        sources.append(_source(model.reason or "", lists[-1], items, because))
    for model in ranker.lists:
        personal = next((entries for each in request.persons if (entries := model.personal(each)) is not None), None)
        if personal is None:
            lists.append(Listed.none(1))
            continue
        kept = ~eligible.shown_not(personal.items)
        lists.append(Listed.one(personal.items[kept], personal.weights[kept], LISTED))
        is_personal |= "popularity" not in personal.origins and "trending" not in personal.origins
        for origin in dict.fromkeys(personal.origins):
            here = np.array([each == origin for each in personal.origins])
            sources.append(_source(origin, lists[-1], personal.items[here], personal.because[here]))
    recent, ages = np.array(last[0], dtype=np.int64), np.array(last[1], dtype=np.float32)
    if not ranker.ranker.sources.recent:
        recent, ages = recent[:0], ages[:0]
    starts = np.array([0, len(recent)])
    if ranker.ranker.sources.recent:
        causes = list(zip(recent.tolist(), fading(starts, ages).tolist(), strict=True))
        items, weights, because = shelf.model.similar(causes, 2 * LISTED)
        kept = ~eligible.shown_not(items)
        lists.append(Listed.one(items[kept], weights[kept], LISTED))
        sources.append(_source("recent", lists[-1], items, because))
        is_personal |= len(recent) > 0
    at = np.array([moment.now_ms])
    questions = Questions(
        np.array([ranker.person(request.persons)]),
        at,
        np.array([given[-1] if given else -1]),
        np.array([len(given)]),
        starts,
        recent,
        ages,
        clock(at, moment.zone),
    )
    result = Ranked(ranker, lists, questions, moment, request.persons, shelf)
    return result, [source for source in sources if len(source.items)], is_personal


_NONE, _NO_WEIGHTS = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)


def _source(name: str, listed: Listed, items: Numbers, because: Numbers) -> Source:
    """The first places of a list that are among ``items``, with the cause of each."""
    order = np.argsort(items, kind="stable")
    first, strength = listed.items[:PLACES], scale(listed.weights)[:PLACES]
    if len(items) == 0:
        return Source(name, 0.0, _NONE, _NO_WEIGHTS, _NONE)
    place = np.minimum(np.searchsorted(items[order], first), len(items) - 1)
    here = items[order][place] == first
    return Source(name, _WEIGHTS.get(name, 1.0), first[here], strength[here], because[order][place[here]])
