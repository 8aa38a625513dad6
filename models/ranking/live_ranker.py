"""A placement's ranker as a release serves it: one request at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

import numpy as np

from models.algorithms.sparse_sums import Sums
from models.candidates.live_lists import RawList, gather_lists
from models.candidates.placement_model import PlacementModel
from models.candidates.recipes import RANKER, Fitted, Recipe
from models.data.sequences import Numbers
from models.data.stored_features import ITEM_VIEWS, PERSON_VIEWS, names_of, numbers_of
from models.ranking.known_facts import KnownFacts
from models.ranking.request_columns import STORED_OF_ITEM, STORED_OF_PERSON
from models.ranking.request_ranker import RequestRanker


class LiveRanker:
    """The sources, trees and facts of a placement. ``contexts`` are the models that answer from given items; ``reasons`` name
    the source of each list, empty for one of persons, whose entries have an origin each.

    ``item_views`` and ``person_views``: the views of the feature store that the trees look at; of others nothing is read.
    """

    name = RANKER

    def __init__(self, ranker: RequestRanker, fitted: Fitted, facts: KnownFacts, number_of_person: Mapping[str, int]) -> None:
        sources = ranker.sources
        self.ranker, self.facts = ranker, facts
        self.contexts = [PlacementModel(Recipe(name, context=name), fitted, number_of_person) for name in sources.contexts]
        self.reasons = [*(model.reason or "" for model in self.contexts), *([""] * len(sources.lists))]
        self.reasons += ["recent"] * sources.recent
        self.sources, self.names = sources, ranker.names
        self._tables = tuple([fitted.lists[name].table() for name in sources.lists])
        self._number_of_person = number_of_person
        used = {self.names[column] for column in np.unique(ranker.trees.state()["feature"]).tolist()}
        self.item_views = _used(ITEM_VIEWS, used)
        self.person_views = _used(PERSON_VIEWS, used)

    def persons(self, persons: Sequence[str]) -> list[int]:
        """Numbers of those persons whom the release knows."""
        known = self._number_of_person
        return [known[each] for each in persons if each in known]

    def gather(self, sums: Sequence[Sums], persons: Sequence[int]) -> tuple[Numbers, RawList]:
        """What every source lists: ``sums`` of the contexts and of the last items, and the lists of the first of the persons
        who has any.
        """
        return gather_lists(sums, len(self.contexts), self._tables, persons)


def _used(views: tuple[str, ...], used: set[str]) -> tuple[str, ...]:
    return tuple(view for view in views if used & set(names_of((view,))))


@lru_cache
def _columns_of(views: tuple[str, ...], of_items: bool) -> Numbers:
    """Where the numbers of some views stand among all that the ranker knows."""
    every = ITEM_VIEWS if of_items else PERSON_VIEWS
    width = {view: len(numbers_of(view)) for view in every}
    first = dict(zip(every, accumulate(width.values(), initial=0), strict=False))
    return np.concatenate([np.arange(first[view], first[view] + width[view]) for view in every if view in views])


def spread(views: tuple[str, ...], values: np.ndarray, of_items: bool) -> np.ndarray:
    """Values of some views (rows, numbers) as columns of all that the ranker knows, NaN for the others."""
    if len(views) == len(ITEM_VIEWS if of_items else PERSON_VIEWS):
        return values.astype(np.float32)
    table = np.empty((len(values), len(STORED_OF_ITEM if of_items else STORED_OF_PERSON)), dtype=np.float32)
    table.fill(np.nan)
    table[:, _columns_of(views, of_items)] = values
    return table
