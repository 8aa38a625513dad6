"""What is clicked most, whatever the session.

It does not serve: what sells is the last rung of the ladder already.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import NotFitted, State
from models.algorithms.session_model import check_item_range, check_sessions
from models.data.sequences import Sequences


class SessionPopularity:
    """Says nothing of any prefix, so that the order of the items' numbers, falling popularity, decides."""

    name = "popularity"
    items_: int | None = None

    def fit(self, sessions: Sequences) -> Self:
        """Remember the number of items."""
        self.items_ = check_sessions(sessions).items
        return self

    def weigh(self, prefixes: Sequences) -> sparse.csr_matrix:
        """No weights."""
        if self.items_ is None:
            raise NotFitted("fit the popularity model first")
        return sparse.csr_matrix((len(check_item_range(prefixes)), self.items_), dtype=np.float32)

    def state(self) -> State:
        """The number of items."""
        if self.items_ is None:
            raise NotFitted("fit the popularity model first")
        return {"items": np.array([self.items_], dtype=np.int64)}

    def from_state(self, state: State) -> Self:
        """Take over the number of items."""
        self.items_ = int(state["items"][0])
        return self
