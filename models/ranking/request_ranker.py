"""The ranker of a placement: trees that order what several sources list for a request, on everything known at that moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.algorithms.recommender import Scores, State
from models.algorithms.symmetric_trees import SymmetricTrees
from models.candidates.request_sources import REQUEST_SOURCES, RequestSources
from models.ranking.context_facts import COLUMNS as VISIT
from models.ranking.request_columns import names


@dataclass(frozen=True)
class RequestRanker:
    """Trees over the columns of a placement's candidates."""

    placement: str
    trees: SymmetricTrees

    @staticmethod
    def sources_of(placement: str) -> RequestSources:
        """Where candidates of a placement come from."""
        return REQUEST_SOURCES[placement]

    @property
    def sources(self) -> RequestSources:
        """Where candidates come from."""
        return self.sources_of(self.placement)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that the trees know."""
        return names(self.sources)[: int(self.trees.state()["features"][0])]

    def score(self, table: Scores) -> Scores:
        """Scores between 0 and 1 by rows of the columns."""
        total = self.trees.predict(table[:, : int(self.trees.state()["features"][0])])
        np.exp(np.negative(total, out=total), out=total)
        total += 1
        return np.divide(1, total, out=total).astype(np.float32)

    def state(self) -> State:
        """The arrays of the trees."""
        return self.trees.state()

    @classmethod
    def from_state(cls, placement: str, state: State) -> Self:
        """Take over trees, also of before the columns of the visit. Raises ValueError where they are over other columns or not
        whole.
        """
        every = len(names(REQUEST_SOURCES[placement]))
        is_earlier = state.get("features", np.zeros(1)).tolist() == [every - len(VISIT)]
        try:
            return cls(placement, SymmetricTrees.checked(state, every - len(VISIT) if is_earlier else every))
        except ValueError as error:
            raise ValueError(f"the ranker of {placement}: {error}") from error
