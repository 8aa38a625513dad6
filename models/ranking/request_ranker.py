"""The ranker of a placement: trees that order what several sources list for a request, on everything known at that moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.algorithms.recommender import Scores, State
from models.candidates.request_sources import REQUEST_SOURCES, RequestSources
from models.ranking.request_columns import names
from models.ranking.symmetric_trees import SymmetricTrees


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

    def score(self, table: Scores) -> Scores:
        """Scores between 0 and 1 by rows of the columns."""
        return np.asarray(1 / (1 + np.exp(-self.trees.predict(table))), dtype=np.float32)

    def state(self) -> State:
        """The arrays of the trees."""
        return self.trees.state()

    @classmethod
    def from_state(cls, placement: str, state: State) -> Self:
        """Take over trees. Raises ValueError where they are over other columns or not whole."""
        wanted = len(names(REQUEST_SOURCES[placement]))
        if set(state) != {"feature", "border", "leaf", "bias", "features"} or state["features"].tolist() != [wanted]:
            raise ValueError(f"the ranker of {placement} needs trees over {wanted} columns")
        feature, border, leaf = state["feature"], state["border"], state["leaf"]
        is_whole = feature.ndim == 2 and border.shape == feature.shape and leaf.shape == (len(feature), 2 ** feature.shape[1])
        if not is_whole or feature.min(initial=0) < 0 or feature.max(initial=0) >= wanted or state["bias"].shape != (1,):
            raise ValueError(f"the trees of the ranker of {placement} are not whole")
        return cls(placement, SymmetricTrees().from_state(state))
