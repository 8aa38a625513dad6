"""Gradient-boosted trees for a yes-or-no target, grown by scikit-learn and kept as plain arrays that need no scikit-learn.

It does not serve: only the blend of baskets uses it; the trees of a release are symmetric (``models.ranking.growth``), and the
blend's figures in docs/benchmarks are of leaf-wise trees.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from models.algorithms.recommender import NotFitted, Scores, State

ROWS = 20_000  # evaluated at a time, so that a block stays in the cache


class BoostedTrees:
    """Friedman's gradient boosting (Annals of Statistics 2001) with the logistic loss on binned features.

    Rows × features float32 in, one log-odds a row out.
    """

    def __init__(
        self, trees: int = 150, leaves: int = 31, learning_rate: float = 0.08, least_leaf: int = 100, seed: int = 7
    ) -> None:
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.least_leaf = least_leaf
        self.seed = seed
        self.arrays_: State | None = None

    def fit(self, features: Scores, target: npt.NDArray[np.bool_], weight: npt.NDArray[np.floating]) -> Self:
        """Grow the trees."""
        grown = HistGradientBoostingClassifier(
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            max_depth=8,
            learning_rate=self.learning_rate,
            min_samples_leaf=self.least_leaf,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=self.seed,
        )
        with threadpool_limits(1, user_api="openmp"):  # sums in a fixed order: same rows, same trees
            grown.fit(features, target, sample_weight=weight)
        self.arrays_ = _arrays(grown)
        return self

    def predict(self, features: Scores) -> Scores:
        """Log-odds, shape (rows,)."""
        if self.arrays_ is None:
            raise NotFitted("grow the trees first")
        x = np.ascontiguousarray(features, dtype=np.float32)
        parts = [_evaluate(self.arrays_, x[start : start + ROWS]) for start in range(0, len(x), ROWS)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    def state(self) -> State:
        """Nodes of all trees, shape (trees, nodes) each: feature, threshold, left, right, value; and the base value."""
        if self.arrays_ is None:
            raise NotFitted("grow the trees first")
        return self.arrays_

    def from_state(self, state: State) -> Self:
        """Take over trees."""
        self.arrays_ = dict(state)
        return self


def _arrays(grown: HistGradientBoostingClassifier) -> State:
    trees: list[Any] = [stage[0].nodes for stage in grown._predictors]
    size = max(len(nodes) for nodes in trees)
    feature, left, right = (np.zeros((len(trees), size), dtype=np.int32) for _ in range(3))
    threshold, value = (np.zeros((len(trees), size), dtype=np.float32) for _ in range(2))
    for number, nodes in enumerate(trees):
        here = slice(0, len(nodes))
        is_leaf, itself = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        feature[number, here] = np.where(is_leaf, 0, nodes["feature_idx"])
        # A float64 threshold rounded down keeps every float32 value on its side.
        rounded = nodes["num_threshold"].astype(np.float32)
        threshold[number, here] = np.where(
            rounded > nodes["num_threshold"], np.nextafter(rounded, np.float32(-np.inf)), rounded
        )
        left[number, here] = np.where(is_leaf, itself, nodes["left"])
        right[number, here] = np.where(is_leaf, itself, nodes["right"])
        value[number, here] = np.where(is_leaf, nodes["value"], 0)
        threshold[number, here][is_leaf] = 0
    deepest = max(int(nodes["depth"].max()) for nodes in trees)
    base = np.asarray(grown._baseline_prediction, dtype=np.float32).ravel()[:1]
    depth = np.array([deepest], dtype=np.int64)
    return {
        "feature": feature,
        "threshold": threshold,
        "left": left,
        "right": right,
        "value": value,
        "base": base,
        "depth": depth,
    }


def _evaluate(arrays: State, x: Scores) -> Scores:
    """Walk all rows down one tree after the other; a leaf leads to itself."""
    scores = np.full(len(x), arrays["base"][0], dtype=np.float32)
    flat, offset = x.ravel(), np.arange(len(x), dtype=np.int64) * x.shape[1]
    for feature, threshold, left, right, value in zip(
        *(arrays[name] for name in ("feature", "threshold", "left", "right", "value")), strict=True
    ):
        node = np.zeros(len(x), dtype=np.int32)
        for _ in range(int(arrays["depth"][0])):
            goes_left = flat[offset + feature[node]] <= threshold[node]
            node = np.where(goes_left, left[node], right[node])
        scores += value[node]
    return scores
