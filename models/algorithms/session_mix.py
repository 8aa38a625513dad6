"""Walks, neighbours and repeats together: three models of sessions that err in different places, added up."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import State
from models.algorithms.repeats import Repeats
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_model import SessionModel, check_sessions
from models.algorithms.sparse_rows import largest
from models.algorithms.swalk import SWalk
from models.data.sequences import Sequences


class SessionMix:
    """Σ share · (weight of the part / its largest weight for the prefix) over S-Walk, session kNN and repeats.

    The shares were chosen once, on the newest training sessions of RetailRocket (docs/benchmarks/sessions.md); what the parts
    say is the shop's own.
    """

    name = "session_mix"

    def __init__(self, walk_share: float = 1.0, knn_share: float = 1.0, repeats_share: float = 2.0) -> None:
        self.walk_share = walk_share
        self.knn_share = knn_share
        self.repeats_share = repeats_share
        self.walk_, self.knn_, self.repeats_ = SWalk(), SessionKNN(), Repeats()

    def fit(self, sessions: Sequences, walk: SWalk | None = None, knn: SessionKNN | None = None) -> Self:
        """Fit all parts, or take over those that were fitted on the same sessions: how they score is not part of a fit."""
        check_sessions(sessions)
        for part, fitted in ((self.walk_, walk), (self.knn_, knn), (self.repeats_, None)):
            if fitted is None:
                part.fit(sessions)
            else:
                part.from_state(fitted.state())
        return self

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of walks, neighbours and repeats."""
        return self.walk_share, self.knn_share, self.repeats_share

    def score(self, prefixes: Sequences) -> sparse.csr_matrix:
        """The sums."""
        total = sparse.csr_matrix((len(prefixes), prefixes.items), dtype=np.float32)
        parts: tuple[SessionModel, ...] = (self.walk_, self.knn_, self.repeats_)
        for share, part in zip(self.shares, parts, strict=True):
            weights = part.score(prefixes)
            total = total + sparse.diags(np.float32(share) / largest(weights)) @ weights
        return sparse.csr_matrix(total, dtype=np.float32)

    def state(self) -> State:
        """The arrays of all parts, whose names differ."""
        return {**self.walk_.state(), **self.knn_.state(), **self.repeats_.state()}

    def from_state(self, state: State) -> Self:
        """Give each part its arrays."""
        for part in (self.walk_, self.knn_, self.repeats_):
            part.from_state(state)
        return self
