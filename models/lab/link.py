"""LINK: a linear item-item model of sessions that a first linear model and a neural one teach.

It does not serve: it lists no better than S-Walk on validation, costs the fit of a teacher, and the trees of the served blend
read what that teacher says themselves.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.item_rules import RulesOfItems
from models.algorithms.neighbourhood_regression import regress_on_neighbours
from models.algorithms.sequential_rules import shares
from models.algorithms.session_model import check_sessions
from models.algorithms.session_vectors import BATCH, SessionVectors, largest_of
from models.algorithms.slist import Slist, cuts
from models.data.sequences import Sequences, places_in_rows


class LinkModel(RulesOfItems):
    """Choi et al., SIGIR 2025, on the neighbourhood of each item; B minimises

    α ‖X' − X' B‖² + (1 − α) ‖T − S B‖² + μ ‖B − M‖².

    X' (LIS, self-distillation): β times what a first model without order (SLIST with α = 1) says of each session, its largest
    entries above zero, ``extension`` times as many as the session has items, as shares of their sum; and 1 − β times the
    session, likewise. S and T are SLIST's cuts, rows of S as shares. M (NIT): for a session of one item, the chances that a
    neural ``teacher`` gives what comes next, the ``taught`` largest of each item.

    The paper's teachers are transformers and graph networks; this one is ``SessionVectors``, which two processor cores learn
    in minutes. As in ``Slist`` an item has the ``neighbours`` strongest unknowns, solved exactly, instead of one inverse of
    items², and rules below zero are left out.
    """

    name = "link"

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.2,
        penalty: float = 10.0,
        teacher_weight: float = 10.0,
        train_decay: float = 1.0,
        decay: float = 4.0,
        neighbours: int = 100,
        extension: int = 3,
        taught: int = 50,
        teacher: SessionVectors | None = None,
    ) -> None:
        super().__init__(decay)
        self.alpha = alpha
        self.beta = beta
        self.penalty = penalty
        self.teacher_weight = teacher_weight
        self.train_decay = train_decay
        self.neighbours = neighbours
        self.extension = extension
        self.taught = taught
        self.teacher = teacher

    def fit(self, sessions: Sequences) -> Self:
        """Fit the teacher, unless it was given fitted, and the first model; then solve B."""
        check_sessions(sessions)
        inputs, outputs = self.rows(sessions)
        draw = np.full(sessions.items, self.teacher_weight, dtype=np.float32)
        weights = regress_on_neighbours(inputs, draw, self.neighbours, outputs, self.transitions(sessions))
        weights.data[weights.data < 0] = 0
        weights.eliminate_zeros()
        self.rules_ = weights
        return self

    def rows(self, sessions: Sequences) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """What B reads and what it is to give: X' and S, and X' and T, each with the root of its share."""
        past, future = cuts(sessions, self.train_decay)
        whole = self.extended(sessions) * np.float32(np.sqrt(self.alpha))
        share = np.float32(np.sqrt(1 - self.alpha))
        inputs = sparse.vstack([whole, shares(past) * share], format="csr")
        return inputs, sparse.vstack([whole, future * share], format="csr")

    def extended(self, sessions: Sequences) -> sparse.csr_matrix:
        """X', sessions × items."""
        distinct = sessions.latest(np.ones(len(sessions.flat)))
        first = Slist(alpha=1.0, penalty=self.penalty, neighbours=self.neighbours).fit(sessions).rules()
        parts = [self._foretold(distinct[at : at + BATCH], first) for at in range(0, distinct.shape[0], BATCH)]
        foretold = shares(sparse.vstack(parts, format="csr"))
        return sparse.csr_matrix(foretold * np.float32(self.beta) + shares(distinct) * np.float32(1 - self.beta))

    def _foretold(self, distinct: sparse.csr_matrix, first: sparse.csr_matrix) -> sparse.csr_matrix:
        foretold = sparse.csr_matrix(distinct @ first)
        lengths = np.diff(foretold.indptr)
        row = np.repeat(np.arange(foretold.shape[0]), lengths)
        order = np.lexsort((foretold.indices, -foretold.data, row))
        kept = order[places_in_rows(lengths) < (self.extension * np.diff(distinct.indptr))[row]]
        return sparse.csr_matrix(
            (foretold.data[kept], (row[kept], foretold.indices[kept])), shape=foretold.shape, dtype=np.float32
        )

    def transitions(self, sessions: Sequences) -> sparse.csr_matrix:
        """M, items × items."""
        teacher = SessionVectors().fit(sessions) if self.teacher is None else self.teacher
        parts = []
        for at in range(0, sessions.items, BATCH):
            items = np.arange(at, min(at + BATCH, sessions.items))
            odds = teacher.chances(Sequences(items, np.arange(len(items) + 1), sessions.items))
            parts.append(largest_of(odds / odds.sum(axis=1, keepdims=True), self.taught))
        return sparse.csr_matrix(sparse.vstack(parts, format="csr"), dtype=np.float32)
