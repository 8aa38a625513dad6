"""What shares sessions: pairs of items that meet within some clicks, in either order."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.item_rules import RulesOfItems
from models.algorithms.sequential_rules import pair_counts
from models.algorithms.session_model import check_sessions
from models.data.sequences import Sequences


class Together(RulesOfItems):
    """Cosine-like strength of pairs that meet within ``gap`` clicks, in either order; ``shrinkage`` tames rare items."""

    name = "together"

    def __init__(self, gap: int = 10, decay: float = 2.0, shrinkage: float = 5.0) -> None:
        super().__init__(decay)
        self.gap = gap
        self.shrinkage = shrinkage

    def fit(self, sessions: Sequences) -> Self:
        """Count pairs and divide by the roots of both items' sums."""
        counts = pair_counts(check_sessions(sessions), self.gap, backwards=False)
        both = counts + counts.T
        scale = sparse.diags((np.asarray(both.sum(axis=1)).ravel() + self.shrinkage) ** -0.5)
        self.rules_ = sparse.csr_matrix(scale @ both @ scale, dtype=np.float32)
        return self
