"""Metrics weighted by what each test row brought in (optional column ``amount``, any one currency and unit)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from models.data.sequences import places_in_rows
from models.evaluation.metrics import Counts, Values, gains_of, revenue_ndcg, revenue_recall
from models.protocols import tables
from models.protocols.interactions import InteractionTask


@dataclass(frozen=True)
class Amounts:
    """``of_items``: test users × items of the catalogue; ``total`` of each user, unknown items included; ``best``: a user's
    amounts, falling, as many columns as a list is long.
    """

    of_items: sparse.csr_matrix
    total: Values
    best: Values


def read_amounts(task: InteractionTask, file: Path, most: int) -> Amounts | None:
    """Amounts of the test rows, those of one user and item added; None without the column. Raises BadTable."""
    rows = task.rows
    if "amount" not in rows.table.column_names:
        return None
    amount = tables.numbers(rows.table, "amount", file, least=0)
    names = tables.ids(rows.table, "item_id", file).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    persons, items = task.relevant.shape
    pair, where = np.unique(rows.user * (int(names.max(initial=0)) + 1) + names, return_inverse=True)
    summed = np.bincount(where, weights=amount).astype(np.float64)
    owner = pair // (int(names.max(initial=0)) + 1)
    order = np.lexsort((-summed, owner))
    counts = np.bincount(owner, minlength=persons)
    place = places_in_rows(counts)
    best = np.zeros((persons, most))
    first = place < most
    best[owner[order][first], place[first]] = summed[order][first]
    known = rows.item >= 0
    of_items = sparse.csr_matrix((amount[known], (rows.user[known], rows.item[known])), shape=(persons, items))
    total = np.bincount(owner, weights=summed, minlength=persons).astype(np.float64)
    return Amounts(of_items, total, best)


def revenue_metrics(amounts: Amounts, lists: Counts, ks: Sequence[int]) -> tuple[dict[str, Values], Counts]:
    """Metrics over the users who spent something, and their rows."""
    rows = np.flatnonzero(amounts.total > 0)
    gains = gains_of(lists[rows], amounts.of_items[rows])
    metrics: dict[str, Values] = {}
    for k in ks:
        metrics[f"revenue_recall@{k}"] = revenue_recall(gains[:, :k], amounts.total[rows])
        metrics[f"revenue_ndcg@{k}"] = revenue_ndcg(gains[:, :k], amounts.best[rows])
    return metrics, rows
