"""What is in a next basket after what was in the last one."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import NotFitted, State
from models.algorithms.sparse_rows import pack, top_entries, unpack
from models.data.baskets import Purchases, check_purchases, check_range

LOOKED_BACK = 20  # baskets of each person that are learnt from


class Succession:
    """Σ over the items of the last basket of the share of times that an item was in the basket after it.

    Pairs of a basket and the next one (factorised Markov chain without factors: Rendle et al., WWW 2010); a basket of n items
    counts each of them 1 / √n. Each item keeps its ``most`` followers of the largest weight.
    """

    name = "succession"

    def __init__(self, shrinkage: float = 5.0, most: int = 200) -> None:
        self.shrinkage = shrinkage
        self.most = most
        self.rules_: sparse.csr_matrix | None = None

    def fit(self, purchases: Purchases) -> Self:
        """Count followers."""
        check_purchases(purchases)
        total = sparse.csr_matrix((purchases.items, purchases.items), dtype=np.float32)
        asked = np.zeros(purchases.items)
        for back in range(min(LOOKED_BACK, int(purchases.baskets.max()) - 1)):
            before, after = purchases.basket(back + 1), purchases.basket(back)
            asked += np.asarray(before.sum(axis=0)).ravel()
            total = total + before.T @ after
        shares = sparse.csr_matrix(sparse.diags(1 / np.maximum(asked + self.shrinkage, 1e-9)) @ total, dtype=np.float32)
        self.rules_ = top_entries(shares, self.most)
        return self

    def score(self, histories: Purchases) -> sparse.csr_matrix:
        """Sums over the last basket."""
        if self.rules_ is None:
            raise NotFitted("fit the succession model first")
        last = check_range(histories).basket(0)
        scale = np.maximum(np.diff(last.indptr), 1) ** -0.5
        return sparse.csr_matrix(sparse.diags(scale) @ last @ self.rules_, dtype=np.float32)

    def state(self) -> State:
        """The rules."""
        if self.rules_ is None:
            raise NotFitted("fit the succession model first")
        return pack("rules", self.rules_)

    def from_state(self, state: State) -> Self:
        """Take over rules."""
        self.rules_ = unpack("rules", state)
        return self
