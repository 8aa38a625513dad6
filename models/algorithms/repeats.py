"""Repeats: how likely is it that the next item is one that the session has seen?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, NotFitted, Scores, State
from models.algorithms.session_model import check_item_range, check_sessions
from models.data.sequences import Numbers, Sequences

BACK, COUNT = 20, 4  # a place further back or a count above shares the last cell


class Repeats:
    """The share of times that an item came next, by the clicks since it was last seen and how often the session saw it.

    How much repeats count differs between shops: the table is learnt from the shop's own sessions and nothing else.
    """

    name = "repeats"

    def __init__(self, smoothing: float = 20.0) -> None:
        self.smoothing = smoothing
        self.rates_: np.ndarray | None = None

    def fit(self, sessions: Sequences) -> Self:
        """Count, for each item of each prefix, whether it came next; rates shrink towards the overall rate."""
        prefixes, following = check_sessions(sessions).split_everywhere()
        back, count = _cells(prefixes)
        came = (back.indices == np.repeat(following, np.diff(back.indptr))).astype(np.float64)
        cell = _cell(back.data, count.data)
        asked = np.bincount(cell, minlength=BACK * COUNT)
        hit = np.bincount(cell, weights=came, minlength=BACK * COUNT)
        overall = came.mean() if len(came) else 0.0
        rates = (hit + self.smoothing * overall) / (asked + self.smoothing)
        self.rates_ = np.maximum(rates, 1e-6).astype(np.float32)  # an item that the session saw is never below one it did not
        return self

    def score(self, prefixes: Sequences) -> sparse.csr_matrix:
        """The rates of the items of each prefix."""
        if self.rates_ is None:
            raise NotFitted("fit the repeat model first")
        back, count = _cells(check_item_range(prefixes))
        back.data = self.rates_[_cell(back.data, count.data)]
        return back

    def ask(self, prefix: Sequence[int]) -> tuple[Items, Scores]:
        """The distinct items of one prefix (oldest first) and the weights that ``score`` gives them."""
        if self.rates_ is None:
            raise NotFitted("fit the repeat model first")
        back: dict[int, int] = {}
        for place, item in enumerate(reversed(prefix)):
            back.setdefault(item, place + 1)
        counts = Counter(prefix)
        items = np.array(list(back), dtype=np.int64)
        seen = np.array([counts[item] for item in back], dtype=np.int64)
        return items, self.rates_[_cell(np.array(list(back.values()), dtype=np.int64), seen)]

    def state(self) -> State:
        """The rates."""
        if self.rates_ is None:
            raise NotFitted("fit the repeat model first")
        return {"rates": self.rates_}

    def from_state(self, state: State) -> Self:
        """Take over rates."""
        self.rates_ = state["rates"].astype(np.float32)
        return self


def _cells(prefixes: Sequences) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Clicks since each item was last seen, plus one (a stored zero would vanish), and how often it was seen."""
    back = prefixes.latest(prefixes.back() + 1.0)
    count = prefixes.summed(np.ones(len(prefixes.flat)))
    back.sort_indices()
    count.sort_indices()
    return back, count


def _cell(back: np.ndarray, count: np.ndarray) -> Numbers:
    near, repeated = np.minimum(back - 1, BACK - 1), np.minimum(count - 1, COUNT - 1)
    return np.asarray(near * COUNT + repeated, dtype=np.int64)
