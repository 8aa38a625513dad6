"""Markov chains of order one and two: what followed the last item, or the last two.

They do not serve: sequential rules look further back than one click, and the gate lets them answer item pages."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import NotFitted, State
from models.algorithms.sequential_rules import SequentialRules, shares
from models.algorithms.session_model import check_item_range, check_sessions
from models.algorithms.sparse_rows import pack, unpack
from models.data.sequences import Numbers, Sequences


class Markov(SequentialRules):
    """First-order Markov chain: shares of the items that followed directly."""

    name = "markov"

    def __init__(self) -> None:
        super().__init__(gap=1)


class SecondOrderMarkov:
    """Shares of the items that followed the last two items in their order."""

    name = "markov2"

    def __init__(self) -> None:
        self.pairs_: Numbers | None = None
        self.rules_: sparse.csr_matrix | None = None

    def fit(self, sessions: Sequences) -> Self:
        """Count what followed each pair of consecutive items."""
        check_sessions(sessions)
        flat, row = sessions.flat, sessions.row()
        whole = row[:-2] == row[2:]
        key = flat[:-2][whole] * sessions.items + flat[1:-1][whole]
        self.pairs_, place = np.unique(key, return_inverse=True)
        ones = np.ones(len(place), dtype=np.float32)
        counts = sparse.csr_matrix((ones, (place, flat[2:][whole])), shape=(len(self.pairs_), sessions.items))
        self.rules_ = shares(counts)
        return self

    def score(self, prefixes: Sequences) -> sparse.csr_matrix:
        """The shares of the last pair; nothing for a shorter prefix or a pair never seen."""
        if self.pairs_ is None or self.rules_ is None:
            raise NotFitted("fit the second-order Markov chain first")
        check_item_range(prefixes)
        rows = np.flatnonzero(prefixes.lengths >= 2)
        ends = prefixes.starts[rows + 1]
        key = prefixes.flat[ends - 2] * prefixes.items + prefixes.flat[ends - 1]
        place = np.minimum(np.searchsorted(self.pairs_, key), max(0, len(self.pairs_) - 1))
        known = self.pairs_[place] == key if len(self.pairs_) else np.zeros(len(key), dtype=np.bool_)
        ones = np.ones(int(known.sum()), dtype=np.float32)
        asked = sparse.csr_matrix((ones, (rows[known], place[known])), shape=(len(prefixes), len(self.pairs_)))
        return sparse.csr_matrix(asked @ self.rules_, dtype=np.float32)

    def state(self) -> State:
        """Pairs and their rules."""
        if self.pairs_ is None or self.rules_ is None:
            raise NotFitted("fit the second-order Markov chain first")
        return {"pairs": self.pairs_, **pack("rules", self.rules_)}

    def from_state(self, state: State) -> Self:
        """Take over pairs and rules."""
        self.pairs_, self.rules_ = state["pairs"].astype(np.int64), unpack("rules", state)
        return self
