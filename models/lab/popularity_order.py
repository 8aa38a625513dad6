"""What is popular, whatever the session or basket: items are numbered by falling popularity, so nothing need be said.

It does not serve: what sells is the last rung of the ladder already.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import State
from models.algorithms.session_model import check_item_range, check_sessions
from models.data.baskets import Purchases, check_purchases, check_range
from models.data.sequences import Sequences


class PopularityOrder:
    """Says nothing of any row, so that the order of the items' numbers decides."""

    name = "popularity"

    def fit(self, acts: Sequences | Purchases) -> Self:
        """Nothing to learn."""
        if isinstance(acts, Purchases):
            check_purchases(acts)
        else:
            check_sessions(acts)
        return self

    def score(self, acts: Sequences | Purchases) -> sparse.csr_matrix:
        """No scores."""
        rows = check_range(acts).users if isinstance(acts, Purchases) else len(check_item_range(acts))
        return sparse.csr_matrix((rows, acts.items), dtype=np.float32)

    def state(self) -> State:
        """Nothing."""
        return {}

    def from_state(self, state: State) -> Self:
        """Nothing to take over."""
        return self
