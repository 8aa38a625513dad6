"""The top entries of each row of a product of two sparse matrices, and the column that added most to each; compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from scipy import sparse

from models.algorithms.recommender import Scores
from models.algorithms.session_knn_query import sorted_head
from models.data.sequences import Numbers


def top_products(causes: sparse.csr_matrix, effects: sparse.csr_matrix, fill: Numbers, k: int) -> tuple[Numbers, Scores]:
    """Items and strengths of the best ``k`` entries above zero of each row of causes × effects, best first.

    Equal strengths in the order of ``fill``, which names every item once. Places without an item hold −1 and 0. Both matrices
    hold nothing below zero.
    """
    items, strength, _ = _asked(causes, effects, fill, k, with_causes=False)
    return items, strength


def top_products_with_causes(
    causes: sparse.csr_matrix, effects: sparse.csr_matrix, fill: Numbers, k: int
) -> tuple[Numbers, Scores, Numbers]:
    """The same and, of each entry, the column of ``causes`` that added most (−1 without an item)."""
    return _asked(causes, effects, fill, k, with_causes=True)


def _asked(
    causes: sparse.csr_matrix, effects: sparse.csr_matrix, fill: Numbers, k: int, *, with_causes: bool
) -> tuple[Numbers, Scores, Numbers]:
    place = np.empty(len(fill), dtype=np.int64)
    place[fill] = np.arange(len(fill))
    rows = causes.shape[0]
    top, strength, because = (
        np.full((rows, k), -1, np.int64),
        np.zeros((rows, k), np.float32),
        np.full((rows, k), -1, np.int64),
    )
    arguments: tuple[Any, ...] = (
        *(causes.indptr.astype(np.int64), causes.indices.astype(np.int32), causes.data.astype(np.float32)),
        *(effects.indptr.astype(np.int64), place[effects.indices].astype(np.int32), effects.data.astype(np.float32)),
        *(len(fill), top, strength),
    )
    rank: Callable[..., None] = _top_products
    explain: Callable[..., None] = _causes
    rank(*arguments)
    if with_causes:
        explain(*arguments[:-2], top, because)
    return np.where(top >= 0, fill[top], -1), strength, because


@numba.njit(cache=True, nogil=True)
def _top_products(
    starts: Any,
    causes: Any,
    weights: Any,
    effect_starts: Any,
    effects: Any,
    effect_weights: Any,
    items: int,
    top: Any,
    strength: Any,
) -> None:
    total, touched = np.zeros(items, dtype=np.float32), np.empty(items + 1, dtype=np.int32)
    for row in range(len(starts) - 1):
        count: int | np.int64 = 0
        for entry in range(starts[row], starts[row + 1]):
            cause, weight = causes[entry], weights[entry]
            for place in range(effect_starts[cause], effect_starts[cause + 1]):
                item = effects[place]
                before = total[item]
                after = before + weight * effect_weights[place]
                touched[count] = item  # without a branch: none could be foreseen; the last place is for what is not counted
                count += np.int64(before == 0) & np.int64(after != 0)
                total[item] = after
        if count > 0:
            head, values = sorted_head(touched[:count], total, top.shape[1])
            for place in range(len(head)):
                top[row, place], strength[row, place] = head[place], values[place]
        for place in range(count):
            total[touched[place]] = 0


@numba.njit(cache=True, nogil=True)
def _causes(
    starts: Any,
    causes: Any,
    weights: Any,
    effect_starts: Any,
    effects: Any,
    effect_weights: Any,
    items: int,
    top: Any,
    because: Any,
) -> None:
    """The cause that added most to each top entry; a second pass, so that the first one touches one array alone."""
    place_of = np.full(items, -1, dtype=np.int32)
    best = np.zeros(top.shape[1], dtype=np.float32)
    for row in range(len(starts) - 1):
        for place in range(top.shape[1]):
            if top[row, place] >= 0:
                place_of[top[row, place]] = place
        best[:] = 0
        for entry in range(starts[row], starts[row + 1]):
            cause, weight = causes[entry], weights[entry]
            for effect in range(effect_starts[cause], effect_starts[cause + 1]):
                place = place_of[effects[effect]]
                if place >= 0 and weight * effect_weights[effect] > best[place]:
                    best[place], because[row, place] = weight * effect_weights[effect], cause
        for place in range(top.shape[1]):
            if top[row, place] >= 0:
                place_of[top[row, place]] = -1
