"""S-Walk: random walks with restart over two linear models of sessions, worked out for each item once."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.item_rules import RulesOfItems
from models.algorithms.sequential_rules import shares
from models.algorithms.slist import Slist
from models.algorithms.sparse_rows import top_entries
from models.data.sequences import Sequences

BATCH = 1000  # items walked from at once


class SWalk(RulesOfItems):
    """M = (1 − α) Σ αᵏ Rᵏ T for k below ``steps`` (Choi et al., WSDM 2022), a row an item.

    R moves from item to item by transitions (SLIST with α = 0); T teleports to similar items (SLIST with α = 1) with
    probability ``beta`` and stays otherwise. Their rows are shares of the ``neighbours`` largest entries; of M each item keeps
    ``most`` rules. A walk reaches what no session has joined to an item, which helps where sessions are few.
    """

    name = "swalk"

    def __init__(
        self, alpha: float = 0.5, beta: float = 0.7, steps: int = 3, decay: float = 4.0, neighbours: int = 50, most: int = 300
    ) -> None:
        super().__init__(decay)
        self.alpha = alpha
        self.beta = beta
        self.steps = steps
        self.neighbours = neighbours
        self.most = most

    def fit(self, sessions: Sequences) -> Self:
        """Fit both models and walk from every item."""
        moves, similar = (
            shares(top_entries(Slist(alpha=alpha).fit(sessions).rules(), self.neighbours)) for alpha in (0.0, 1.0)
        )
        stay = sparse.identity(sessions.items, dtype=np.float32, format="csr") * np.float32(1 - self.beta)
        teleports = sparse.csr_matrix(similar * np.float32(self.beta) + stay)
        walks = [self._walk(moves, teleports, slice(at, at + BATCH)) for at in range(0, sessions.items, BATCH)]
        self.rules_ = sparse.csr_matrix(sparse.vstack(walks, format="csr"), dtype=np.float32)
        return self

    def _walk(self, moves: sparse.csr_matrix, teleports: sparse.csr_matrix, items: slice) -> sparse.csr_matrix:
        """Rows of M; between two steps each walk keeps the ``most`` likeliest places."""
        at = sparse.identity(moves.shape[0], dtype=np.float32, format="csr")[items]
        total = sparse.csr_matrix(at.shape, dtype=np.float32)
        for step in range(self.steps):
            total = total + (at @ teleports) * np.float32((1 - self.alpha) * self.alpha**step)
            at = top_entries(sparse.csr_matrix(at @ moves), self.most)
        total = sparse.csr_matrix(total, dtype=np.float32)
        total.sort_indices()
        return top_entries(total, self.most)
