"""A weighted sum of fitted recommenders over the same items.

It does not serve: a placement is answered by one model, or by a recipe of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.part_states import joined, restore
from models.algorithms.recommender import Recommender, Scores, State


class Mixture:
    """Σ weight × score / spread, where the spread is the standard deviation of a model's scores over the items of a row.

    ``parts`` are models by name, ``weights`` theirs; ``fit`` fits each part.
    """

    name = "mixture"

    def __init__(self, parts: Mapping[str, Recommender], weights: Mapping[str, float]) -> None:
        if set(parts) != set(weights) or not parts:
            raise ValueError(f"parts {sorted(parts)} and weights {sorted(weights)} must name the same models, at least one")
        self.parts = dict(parts)
        self.weights = dict(weights)

    def fit(self, histories: sparse.csr_matrix, sales: Scores) -> Self:
        """Fit every part."""
        for model in self.parts.values():
            model.fit(histories, sales)
        return self

    def score(self, histories: sparse.csr_matrix) -> Scores:
        """The weighted sum."""
        return mix({name: model.score(histories) for name, model in self.parts.items()}, self.weights)

    def state(self) -> State:
        """States of the parts, each array under ``<part>/<array>``."""
        return joined(self.parts)

    def from_state(self, state: State) -> Self:
        """Take over the states of the parts."""
        restore(self.parts, state)
        return self


def mix(scores: Mapping[str, Scores], weights: Mapping[str, float]) -> Scores:
    """The weighted sum of scores, each row first divided by its standard deviation (a constant row counts as zero)."""
    mixed: Scores | None = None
    for name in sorted(weights):
        score = scores[name]
        spread = score.std(axis=1, keepdims=True)
        share = np.asarray(np.float32(weights[name]) * np.divide(score, spread, out=np.zeros_like(score), where=spread > 0))
        mixed = share if mixed is None else mixed + share
    if mixed is None:
        raise ValueError("nothing to mix")
    return mixed
