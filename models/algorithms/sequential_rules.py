"""Sequential rules: what followed an item within some clicks."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.item_rules import RulesOfItems
from models.algorithms.session_model import check_sessions
from models.data.sequences import Sequences


class SequentialRules(RulesOfItems):
    """Shares of the items that followed within ``gap`` clicks, each counting 1 / distance (Ludewig & Jannach, UMUAI 2018).

    With ``backwards`` a rule says what came before an item. ``gap`` 1 and ``decay`` 0 make the first-order Markov chain.
    """

    name = "rules"

    def __init__(self, gap: int = 10, decay: float = 0.0, *, backwards: bool = False) -> None:
        super().__init__(decay)
        self.gap = gap
        self.backwards = backwards

    def fit(self, sessions: Sequences) -> Self:
        """Count pairs and divide by the sum of each item's."""
        self.rules_ = shares(pair_counts(check_sessions(sessions), self.gap, self.backwards))
        return self


def pair_counts(sessions: Sequences, gap: int, backwards: bool) -> sparse.csr_matrix:
    """Items × items: Σ 1 / distance over pairs of clicks of a session at most ``gap`` apart, the earlier one in the row."""
    row, flat = sessions.row(), sessions.flat
    rows, columns, values = [], [], []
    for distance in range(1, gap + 1):
        inside = row[:-distance] == row[distance:]
        rows.append(flat[:-distance][inside])
        columns.append(flat[distance:][inside])
        values.append(np.full(int(inside.sum()), 1 / distance, dtype=np.float32))
    first, second = np.concatenate(rows), np.concatenate(columns)
    places = (second, first) if backwards else (first, second)
    counts = sparse.csr_matrix((np.concatenate(values), places), shape=(sessions.items, sessions.items))
    counts.sum_duplicates()
    return counts


def shares(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each row divided by its sum; empty rows stay empty."""
    sums = np.asarray(counts.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags((1 / np.where(sums > 0, sums, 1)).astype(np.float32)) @ counts, dtype=np.float32)
