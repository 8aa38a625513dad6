"""Session kNN: what followed in the past sessions that are most like this one."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import NotFitted, State
from models.algorithms.session_model import check_item_range, check_sessions
from models.algorithms.sparse_rows import pack, top_entries, unpack
from models.data.sequences import Sequences

BATCH = 512


class SessionKNN:
    """VS-kNN (Ludewig & Jannach, UMUAI 2018) on the index of VMIS-kNN (Kersbergen et al., SIGMOD 2022).

    A prefix weighs its items by e^(−back / decay) · idf, where ``back`` counts the clicks after an item's last occurrence. A
    past session is as similar as the sum of the weights of the items it shares, over its number of items to the power
    ``length_power``. Items are weighed by their idf times the similarities of the ``neighbours`` most similar sessions that
    hold them. Of each item only the ``per_item`` latest sessions are looked at, which bounds the work for popular items.
    """

    name = "knn"

    def __init__(
        self,
        neighbours: int = 1000,
        decay: float = 2.0,
        length_power: float = 0.5,
        per_item: int = 1000,
        newest: float = 1.0,
    ) -> None:
        self.neighbours = neighbours
        self.decay = decay
        self.length_power = length_power
        self.per_item = per_item
        self.newest = newest
        self.sessions_: sparse.csr_matrix | None = None
        self.index_: sparse.csr_matrix | None = None
        self.idf_: np.ndarray | None = None

    def fit(self, sessions: Sequences) -> Self:
        """Index the sessions (the ``newest`` share of them)."""
        check_sessions(sessions)
        kept = sessions.take(slice(int(len(sessions) * (1 - self.newest)), None))
        held = kept.latest(np.ones(len(kept.flat)))
        sessions_with_item = np.bincount(held.indices, minlength=kept.items)
        self.idf_ = np.log1p(len(kept) / np.maximum(sessions_with_item, 1)).astype(np.float32)
        by_length = held.copy()
        by_length.data = (np.repeat(np.diff(held.indptr), np.diff(held.indptr)) ** -self.length_power).astype(np.float32)
        by_item = sparse.csr_matrix(by_length.T)
        by_item.sort_indices()
        after = np.repeat(by_item.indptr[1:], np.diff(by_item.indptr)) - np.arange(by_item.nnz)
        by_item.data[after > self.per_item] = 0
        by_item.eliminate_zeros()
        self.sessions_, self.index_ = held, by_item
        return self

    def score(self, prefixes: Sequences) -> sparse.csr_matrix:
        """Idf-weighted sums over the neighbours of each prefix."""
        if self.sessions_ is None or self.index_ is None or self.idf_ is None:
            raise NotFitted("fit the session kNN first")
        check_item_range(prefixes)
        asked = prefixes.latest(np.exp(-prefixes.back() / self.decay)) @ sparse.diags(self.idf_)
        asked, idf = sparse.csr_matrix(asked, dtype=np.float32), sparse.diags(self.idf_)
        parts = []
        for start in range(0, len(prefixes), BATCH):
            near = top_entries(sparse.csr_matrix(asked[start : start + BATCH] @ self.index_), self.neighbours)
            parts.append((near @ self.sessions_) @ idf)
        if not parts:
            return sparse.csr_matrix((0, prefixes.items), dtype=np.float32)
        return sparse.csr_matrix(sparse.vstack(parts, format="csr"), dtype=np.float32)

    def state(self) -> State:
        """Sessions, index and idf."""
        if self.sessions_ is None or self.index_ is None or self.idf_ is None:
            raise NotFitted("fit the session kNN first")
        return {**pack("sessions", self.sessions_), **pack("index", self.index_), "idf": self.idf_}

    def from_state(self, state: State) -> Self:
        """Take over sessions, index and idf. Raises ValueError where they do not belong together."""
        sessions, index, idf = unpack("sessions", state), unpack("index", state), state["idf"].astype(np.float32)
        if index.shape != sessions.shape[::-1] or idf.shape != (sessions.shape[1],):
            raise ValueError(f"index {index.shape} and idf {idf.shape} are not those of sessions {sessions.shape}")
        self.sessions_, self.index_, self.idf_ = sessions, index, idf
        return self
