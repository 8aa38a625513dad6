"""A placement's ranker as a release serves it: one request at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.candidates.placement_model import PlacementModel
from models.candidates.recipes import RANKER, Fitted, Recipe
from models.data.stored_features import ITEM_VIEWS, PERSON_VIEWS, names_of, numbers_of
from models.ranking.known_facts import KnownFacts
from models.ranking.request_columns import STORED_OF_ITEM, STORED_OF_PERSON, names
from models.ranking.request_ranker import RequestRanker


class LiveRanker:
    """The sources, trees and facts of a placement. ``parts``: by source the model that answers it, without ``recent``.

    ``item_views`` and ``person_views``: the views of the feature store that the trees look at; of others nothing is read.
    """

    name = RANKER

    def __init__(self, ranker: RequestRanker, fitted: Fitted, facts: KnownFacts, number_of_person: Mapping[str, int]) -> None:
        sources, persons = ranker.sources, dict(number_of_person)
        self.ranker, self.facts = ranker, facts
        self.contexts = [PlacementModel(Recipe(name, context=name), fitted, persons) for name in sources.contexts]
        self.lists = [PlacementModel(Recipe(name, personal=name), fitted, persons) for name in sources.lists]
        self.names = names(sources)
        self._number_of_person = number_of_person
        used = {self.names[column] for column in np.unique(ranker.trees.state()["feature"]).tolist()}
        self.item_views = _used(ITEM_VIEWS, used)
        self.person_views = _used(PERSON_VIEWS, used)

    def person(self, persons: Sequence[str]) -> int:
        """Number of the first of the persons whom the release knows; −1 for a stranger."""
        return next((self._number_of_person[each] for each in persons if each in self._number_of_person), -1)


def _used(views: tuple[str, ...], used: set[str]) -> tuple[str, ...]:
    return tuple(view for view in views if used & set(names_of((view,))))


def spread(views: tuple[str, ...], values: np.ndarray, of_items: bool) -> np.ndarray:
    """Values of some views (rows, numbers) as columns of all that the ranker knows, NaN for the others."""
    every, wanted = (ITEM_VIEWS, STORED_OF_ITEM) if of_items else (PERSON_VIEWS, STORED_OF_PERSON)
    table = np.full((len(values), len(wanted)), np.nan, dtype=np.float32)
    column = start = 0
    for view in every:
        width = len(numbers_of(view))
        if view in views:
            table[:, column : column + width] = values[:, start : start + width]
            start += width
        column += width
    return table
