"""Rank the whole catalogue for every test user."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, Scores, top_k

CELLS = 16_000_000  # scores held at a time: 64 MB of float32
Scorer = Callable[[sparse.csr_matrix], Scores]


def batches(rows: int, items: int) -> list[slice]:
    """Slices of rows whose scores fit into ``CELLS``."""
    size = max(1, min(rows, CELLS // max(1, items)))
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def rank_all(score: Scorer, histories: sparse.csr_matrix, k: int, masked: sparse.csr_matrix | None) -> Items:
    """Lists of ``k`` items (persons × k) without those of ``masked``; −1 where the catalogue has fewer left."""
    ranked = np.full((histories.shape[0], k), -1, dtype=np.int64)
    for part in batches(*histories.shape):
        lists = top_k(score(histories[part]), k, None if masked is None else masked[part])
        ranked[part, : lists.shape[1]] = lists
    return ranked
