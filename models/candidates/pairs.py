"""Candidates of several sources, and the weight that each source gives each candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import Scores
from models.algorithms.sparse_rows import largest
from models.data.sequences import Numbers, places_in_rows


@dataclass(frozen=True)
class Candidates:
    """Pairs of a row and an item, ordered by row, and the strength that made them candidates."""

    row: Numbers
    item: Numbers
    strength: Scores
    rows: int
    items: int

    def __len__(self) -> int:
        return len(self.row)

    def where(self, kept: npt.NDArray[np.bool_]) -> Candidates:
        """The pairs of the mask."""
        return Candidates(self.row[kept], self.item[kept], self.strength[kept], self.rows, self.items)

    def matrix(self, values: Scores) -> sparse.csr_matrix:
        """Rows × items with one value a candidate; lifted so that all are above zero, their order kept."""
        lifted = values - values.min() + 1 if len(values) else values
        return sparse.csr_matrix((lifted.astype(np.float32), (self.row, self.item)), shape=(self.rows, self.items))


def gather(sources: Mapping[str, sparse.csr_matrix], shares: Mapping[str, float], most: int) -> Candidates:
    """The ``most`` items of each row by Σ share × weight / (largest weight of the source in that row)."""
    total: sparse.csr_matrix | None = None
    for name in sorted(shares):
        scaled = sparse.csr_matrix(sparse.diags(np.float32(shares[name]) / largest(sources[name])) @ sources[name])
        total = scaled if total is None else total + scaled
    if total is None:
        raise ValueError("no source to gather from")
    total.sort_indices()
    kept = np.ones(total.nnz, dtype=np.bool_)
    for long in np.flatnonzero(np.diff(total.indptr) > most):
        span = slice(total.indptr[long], total.indptr[long + 1])
        values = total.data[span]
        chosen = np.zeros(len(values), dtype=np.bool_)
        chosen[np.lexsort((total.indices[span], -values))[:most]] = True
        kept[span] = chosen
    row = np.repeat(np.arange(total.shape[0]), np.diff(total.indptr))[kept]
    return Candidates(row, total.indices[kept].astype(np.int64), total.data[kept].astype(np.float32), *total.shape)


def look_up(source: sparse.csr_matrix, candidates: Candidates) -> tuple[Scores, Scores]:
    """The source's weight of each candidate, and the same over the largest weight of the row."""
    source.sort_indices()
    values = values_at(source, candidates).astype(np.float32)
    return values, (values / largest(source)[candidates.row]).astype(np.float32)


def values_at(source: sparse.csr_matrix, candidates: Candidates) -> npt.NDArray[Any]:
    """The entry of each candidate in rows × items with sorted indices, 0 where there is none."""
    row = np.repeat(np.arange(source.shape[0], dtype=np.int64), np.diff(source.indptr))
    key = row * candidates.items + source.indices
    asked = candidates.row * candidates.items + candidates.item
    if len(key) == 0:
        return np.zeros(len(asked), dtype=source.dtype)
    place = np.minimum(np.searchsorted(key, asked), len(key) - 1)
    return np.where(key[place] == asked, source.data[place], 0)


def best_of_rows(candidates: Candidates, scores: Scores, most: int) -> tuple[Numbers, Numbers]:
    """Numbers of the ``most`` best candidates of each row, equal scores by item, and the place of each in its row, from 0."""
    order = np.lexsort((candidates.item, -scores, candidates.row))
    place = places_in_rows(np.bincount(candidates.row, minlength=candidates.rows))
    return order[place < most], place[place < most]


def sample_for_training(
    candidates: Candidates, is_target: npt.NDArray[np.bool_], top: int, others: int, seed: int
) -> tuple[npt.NDArray[np.bool_], Scores]:
    """Which candidates to learn from, and the weight of each.

    Rows whose target is among the candidates: the targets, the ``top`` others, and some of the rest drawn at random, who
    stand in for all of it. A row without its target says nothing about order.
    """
    has_target = np.bincount(candidates.row, weights=is_target, minlength=candidates.rows) > 0
    order = np.lexsort((candidates.item, -candidates.strength, candidates.row))
    counts = np.bincount(candidates.row, minlength=candidates.rows)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = places_in_rows(counts)
    rest = np.maximum(counts - top, 1)[candidates.row]
    rate = np.minimum(1.0, others / rest)
    is_drawn = np.random.default_rng(seed).random(len(order)) < rate
    is_strong = (place < top) | is_target
    kept = has_target[candidates.row] & (is_strong | is_drawn)
    weight = np.where(is_strong, 1.0, 1.0 / rate).astype(np.float32)
    return kept, weight
