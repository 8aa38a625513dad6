"""Judge how well items without history are placed: a share of the items is held out with all that anybody did with them.

A model learns from the other items alone, less the same share of each person's pairs. Every person who has a held-out item and
something to learn from is then scored twice. ``cold``: held-out items are ranked among each other and are what is relevant.
``catalogue``: all items but the person's training items are ranked; held-out items and held-out pairs are relevant alike, so
that a model which puts every new item on top pays for what it hides. Recall@k = hits / relevant items; NDCG@k has binary gain
and an ideal list of min(relevant, k) hits. Nothing is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import Recommender, Scores
from models.evaluation.comparison import PairedModels
from models.evaluation.metrics import Values, hits_of, measure
from models.protocols.ranking import rank_all

K = 10


@dataclass(frozen=True)
class ColdTask:
    """``train``: persons × items, without what is held out. Of the ``judged`` persons: ``histories`` in it, and ``relevant``
    items by ranking.
    """

    train: sparse.csr_matrix
    histories: sparse.csr_matrix
    relevant: dict[str, sparse.csr_matrix]
    judged: npt.NDArray[np.int64]
    is_cold: npt.NDArray[np.bool_]

    @property
    def sales(self) -> Scores:
        """Persons of each item, none for held-out ones."""
        return np.bincount(self.train.indices, minlength=self.train.shape[1]).astype(np.float32)

    def judged_by(self, most: int, seed: int) -> ColdTask:
        """The same task with at most ``most`` judged persons, drawn at random."""
        if len(self.judged) <= most:
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self.judged), size=most, replace=False))
        relevant = {name: matrix[rows] for name, matrix in self.relevant.items()}
        return ColdTask(self.train, self.histories[rows], relevant, self.judged[rows], self.is_cold)


def hold_out(matrix: sparse.csr_matrix, share: float, seed: int) -> ColdTask:
    """Hold out a random ``share`` of the items that anybody has, and of the other pairs.

    Raises ValueError when nobody is left to judge by.
    """
    known = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
    size = round(share * len(known))
    if not 0 < size < len(known):
        raise ValueError(f"a share of {share} of {len(known)} items leaves nothing to hold out or nothing to learn from")
    rng = np.random.default_rng(seed)
    is_cold = np.zeros(matrix.shape[1], dtype=np.bool_)
    is_cold[rng.choice(known, size=size, replace=False)] = True
    of_cold = is_cold[matrix.indices]
    is_held = of_cold | (rng.random(matrix.nnz) < share)
    train, cold, held = (_pairs(matrix, kept) for kept in (~is_held, of_cold, is_held))
    judged = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(cold.indptr) > 0))
    if len(judged) == 0:
        raise ValueError("no person has both a held-out item and another one")
    return ColdTask(train, train[judged], {"cold": cold[judged], "catalogue": held[judged]}, judged, is_cold)


def _pairs(matrix: sparse.csr_matrix, kept: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
    pairs = matrix.copy()
    pairs.data = np.where(kept, pairs.data, 0)
    pairs.eliminate_zeros()
    return pairs


def cold_item_metrics(model: Recommender, task: ColdTask, ks: tuple[int, ...] = (K,)) -> dict[str, dict[str, Values]]:
    """Values of each person by ranking and metric; the model must be fitted."""
    cold = np.flatnonzero(task.is_cold)
    among_cold = rank_all(lambda rows: np.ascontiguousarray(model.score(rows)[:, cold]), task.histories, max(ks), None)
    lists = {
        "cold": np.where(among_cold >= 0, cold[among_cold], -1),
        "catalogue": rank_all(model.score, task.histories, max(ks), task.histories),
    }
    metrics = {}
    for name, relevant in task.relevant.items():
        metrics[name] = measure(hits_of(lists[name], relevant), np.diff(relevant.indptr).astype(np.int64), ks)
    return metrics


def compare_with_baseline(judged: dict[str, dict[str, dict[str, Values]]], baseline: str) -> dict[str, Any]:
    """Means with 95 % intervals of each model by ranking and metric, and the paired difference to ``baseline``."""
    report: dict[str, Any] = {name: {} for name in judged}
    for ranking in judged[baseline]:
        metrics = PairedModels({name: rankings[ranking] for name, rankings in judged.items()}).report(baseline)
        for name, by_metric in metrics.items():
            report[name][ranking] = by_metric
    return report
