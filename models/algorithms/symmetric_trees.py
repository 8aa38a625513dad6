"""Symmetric trees as plain arrays: all nodes of a level ask the same question, so a leaf's number is its answers in binary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numba
import numpy as np

from models.algorithms.recommender import NotFitted, Scores, State


class SymmetricTrees:
    """A sum of symmetric trees: rows × features float32 in, one score a row out.

    Arrays: ``feature`` and ``border`` (trees, depth); a row's bit of a level is 1 where the feature is above the border;
    ``leaf`` (trees, 2^depth); ``bias`` (1,). A tree of fewer levels is filled up with the largest border.
    """

    arrays_: State | None = None

    def predict(self, features: Scores) -> Scores:
        """Scores, shape (rows,). Raises ValueError for another number of features."""
        arrays = self.state()
        x = np.asarray(features, dtype=np.float32)
        if x.ndim != 2 or x.shape[1] != int(arrays["features"][0]):
            raise ValueError(f"the trees know {int(arrays['features'][0])} features, the rows have shape {x.shape}")
        return self.predict_columns(np.ascontiguousarray(x.T))

    def predict_columns(self, columns: Scores) -> Scores:
        """Scores of the same lying on its side: as many columns as the trees know × rows, float32 and contiguous."""
        arrays = self.state()
        return np.asarray(_evaluate(columns, arrays["feature"], arrays["border"], arrays["leaf"], arrays["bias"][0]))

    def state(self) -> State:
        """The arrays."""
        if self.arrays_ is None:
            raise NotFitted("grow the trees first")
        return self.arrays_

    def from_state(self, state: State) -> Self:
        """Take over arrays."""
        self.arrays_ = dict(state)
        return self

    @classmethod
    def checked(cls, state: State, columns: int) -> Self:
        """Trees of arrays that somebody stored: compiled code follows them without a look. Raises ValueError for arrays that
        are not whole or over another number of columns.
        """
        if set(state) != {"feature", "border", "leaf", "bias", "features"} or state["features"].tolist() != [columns]:
            raise ValueError(f"it needs trees over {columns} columns")
        feature, border, leaf = state["feature"], state["border"], state["leaf"]
        is_whole = feature.ndim == 2 and border.shape == feature.shape and leaf.shape == (len(feature), 2 ** feature.shape[1])
        is_whole = is_whole and feature.dtype.kind in "iu" and state["bias"].shape == (1,)
        if not is_whole or feature.min(initial=0) < 0 or feature.max(initial=0) >= columns:
            raise ValueError("its trees are not whole")
        return cls().from_state(state)

    @classmethod
    def from_catboost(cls, model: dict[str, Any], features: int) -> Self:
        """Trees of CatBoost's export, ``save_model(…, format="json")``. Raises ValueError for anything but float splits."""
        trees = model["oblivious_trees"]
        depth = max((len(tree["splits"] or []) for tree in trees), default=0)
        feature = np.zeros((len(trees), depth), dtype=np.int32)
        border = np.full((len(trees), depth), np.finfo(np.float32).max, dtype=np.float32)
        leaf = np.zeros((len(trees), 2**depth), dtype=np.float64)
        scale, bias = model["scale_and_bias"]
        for number, tree in enumerate(trees):
            for level, split in enumerate(tree["splits"] or []):
                if split["split_type"] != "FloatFeature":
                    raise ValueError(f"tree {number} splits by {split['split_type']}; only float features are evaluated here")
                feature[number, level] = split["float_feature_index"]
                border[number, level] = split["border"]
            values = np.asarray(tree["leaf_values"], dtype=np.float64) * scale
            leaf[number, : len(values)] = values
        state = {"feature": feature, "border": border, "leaf": leaf, "bias": np.asarray(bias, dtype=np.float64)[:1]}
        return cls().from_state(state | {"features": np.array([features], dtype=np.int64)})

    @classmethod
    def summed(cls, parts: Sequence[Self], weights: Sequence[float]) -> Self:
        """One forest whose score is Σ weight × score of the parts. Raises ValueError for parts of different columns."""
        states = [part.state() for part in parts]
        columns = {int(state["features"][0]) for state in states}
        if len(columns) != 1 or len(parts) != len(weights):
            raise ValueError(
                f"one weight a forest, all over the same columns; got {len(weights)} weights, columns {sorted(columns)}"
            )
        depth = max(state["feature"].shape[1] for state in states)
        deep = [_deepened(state, depth) for state in states]
        merged = {name: np.concatenate([state[name] for state in deep]) for name in ("feature", "border")}
        merged["leaf"] = np.concatenate(
            [weight * np.asarray(state["leaf"], dtype=np.float64) for weight, state in zip(weights, deep, strict=True)]
        )
        merged["bias"] = np.array([sum(weight * state["bias"][0] for weight, state in zip(weights, states, strict=True))])
        return cls().from_state(merged | {"features": states[0]["features"]})


def _deepened(state: State, depth: int) -> State:
    """The same trees with levels that every row answers with no."""
    more = depth - state["feature"].shape[1]
    feature = np.pad(state["feature"], ((0, 0), (0, more)))
    border = np.pad(state["border"], ((0, 0), (0, more)), constant_values=np.finfo(np.float32).max)
    leaf = np.pad(state["leaf"], ((0, 0), (0, 2**depth - state["leaf"].shape[1])))
    return {"feature": feature, "border": border, "leaf": leaf}


@numba.njit(cache=True, nogil=True)
def _evaluate(columns: Scores, feature: Any, border: Any, leaf: Any, bias: float) -> Any:
    """``columns``: features × rows, so that the innermost loops run over neighbours in memory and can be vectorised."""
    rows, depth = columns.shape[1], feature.shape[1]
    scores = np.full(rows, bias, dtype=np.float64)
    place = np.empty(rows, dtype=np.int32)
    for tree in range(feature.shape[0]):
        place[:] = 0
        for level in range(depth):
            column, edge, bit = columns[feature[tree, level]], border[tree, level], np.int32(1 << level)
            for row in range(rows):
                place[row] += bit if column[row] > edge else np.int32(0)
        values = leaf[tree]
        for row in range(rows):
            scores[row] += values[place[row]]
    return scores
