"""What followed an item: Markov chains of order one and two, sequential rules, and what shares sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.item_knn import ItemKNN
from models.algorithms.recommender import Items, NotFitted, Scores, State
from models.algorithms.session_model import check_item_range, check_sessions
from models.algorithms.sparse_rows import pack, unpack
from models.algorithms.sparse_sums import SparseSums
from models.data.sequences import Sequences

_REMEMBERED = 32  # places of a prefix whose weights are worked out beforehand


class RulesOfItems:
    """Rules from one item to others: a matrix, and how a prefix asks it."""

    name = "rules"

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._fading = self._faded(_REMEMBERED if decay else 1)
        self.rules_: sparse.csr_matrix | None = None

    def score(self, prefixes: Sequences) -> sparse.csr_matrix:
        """Σ over the prefix of e^(−back / decay) × rule; with a decay of 0 the last item alone asks."""
        rules = self.rules()
        back = check_item_range(prefixes).back()
        asked = prefixes.summed((back == 0).astype(np.float32) if self.decay == 0 else np.exp(-back / self.decay))
        return sparse.csr_matrix(asked @ rules, dtype=np.float32)

    def asked(self, prefix: Sequence[int]) -> tuple[Items, Scores]:
        """Items of one prefix (oldest first) and the weight that ``score`` gives each of its places, newest first."""
        newest_first = np.array(prefix[::-1] if self.decay else prefix[-1:], dtype=np.int64)
        places = len(newest_first)
        return newest_first, self._fading[:places] if places <= len(self._fading) else self._faded(places)

    def _faded(self, places: int) -> Scores:
        """Weights by place; a decay of 0 looks at the first alone."""
        return np.array([float(np.exp(-back / self.decay)) if back else 1.0 for back in range(places)], dtype=np.float32)

    def rules(self) -> sparse.csr_matrix:
        """What each item says of others, items × items."""
        if self.rules_ is None:
            raise NotFitted(f"fit {self.name} first")
        return self.rules_

    def sums(self) -> SparseSums:
        """The rules, to be asked one prefix at a time."""
        return SparseSums(self.rules())

    def state(self) -> State:
        """The rules."""
        return pack("rules", self.rules())

    def from_state(self, state: State) -> Self:
        """Take over rules."""
        self.rules_ = unpack("rules", state)
        return self


class ItemRules(RulesOfItems):
    """Similarities of item-kNN, of rows whose order does not matter: orders, or whole persons (``use``).

    An item says nothing of itself unless it ``keeps_itself``.
    """

    name = "item_rules"

    def __init__(self, decay: float, *, keeps_itself: bool = False) -> None:
        super().__init__(decay)
        self.keeps_itself = keeps_itself
        self._learnt: sparse.csr_matrix | None = None  # what was taken over, as long as nobody asks for the rules themselves

    def fit(self, sessions: Sequences) -> Self:
        """Cosine of the items over the rows."""
        rows = check_sessions(sessions).latest(np.ones(len(sessions.flat)))
        return self.use(ItemKNN().fit(rows, np.zeros(sessions.items, dtype=np.float32)).similarities())

    def use(self, similarities: sparse.csr_matrix) -> Self:
        """Take over items × items that were learnt elsewhere."""
        self._learnt, self.rules_ = similarities, None
        return self

    def rules(self) -> sparse.csr_matrix:
        """What each item says of others, items × items."""
        if self.rules_ is None and self._learnt is not None:
            itself = self._learnt.diagonal() * (not self.keeps_itself)
            others = sparse.csr_matrix(self._learnt - sparse.diags(itself), dtype=np.float32)
            others.eliminate_zeros()
            self.rules_ = others
        return super().rules()

    def sums(self) -> SparseSums:
        """The rules, to be asked one prefix at a time: over the arrays that were taken over, without a copy."""
        if self._learnt is None:
            return super().sums()
        return SparseSums(self._learnt, skips_itself=not self.keeps_itself)

    def from_state(self, state: State) -> Self:
        """Take over rules."""
        self._learnt = None
        return super().from_state(state)
