"""Rank the whole catalogue for every test user, and measure the lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, Scores, top_k
from models.evaluation.metrics import Counts, Hits, Values, average_precision, hit_rate, ndcg, recall, reciprocal_rank

CELLS = 16_000_000  # scores held at a time: 64 MB of float32
Scorer = Callable[[sparse.csr_matrix], Scores]
METRICS = {"recall": recall, "ndcg": ndcg, "hr": hit_rate, "mrr": reciprocal_rank, "map": average_precision}


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


def measure(hits: Hits, counts: Counts, ks: Sequence[int]) -> dict[str, Values]:
    """Each metric at each k, one value a person."""
    return {f"{name}@{k}": metric(hits[:, :k], counts) for k in ks for name, metric in METRICS.items()}
