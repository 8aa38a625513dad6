"""A validation slice cut from the training pairs alone; of the test it knows only whether it comes later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.protocols.interactions import InteractionTask, Pairs

SHARE = 0.1
MOST_USERS = 2000
MOST_CELLS = 40_000_000  # users × items of the slice, so that scores of several models can be held side by side


@dataclass(frozen=True)
class Validation:
    """What is left to learn from, and the users who are asked about."""

    train: Pairs
    histories: sparse.csr_matrix
    relevant: sparse.csr_matrix

    @property
    def counts(self) -> np.ndarray:
        """Held-out items of each user."""
        return np.asarray(np.diff(self.relevant.indptr), dtype=np.int64)


def cut(task: InteractionTask, seed: int) -> Validation | None:
    """Hold out a tenth of the items (at least one) of up to ``MOST_USERS`` users of two items or more.

    The latest ones when the test comes later than the training rows, else any, drawn with ``seed``. None when no user has two.
    """
    pairs = task.train
    counts = np.bincount(pairs.user, minlength=pairs.users)
    able = np.flatnonzero(counts >= 2)
    if len(able) == 0:
        return None
    rng = np.random.default_rng(seed)
    most = max(50, min(MOST_USERS, MOST_CELLS // pairs.items))
    chosen = np.sort(rng.permutation(able)[:most])
    urge = pairs.at if task.is_later and pairs.at is not None else np.zeros(len(pairs))
    order = np.lexsort((rng.random(len(pairs)), -urge, pairs.user))
    place = np.empty(len(pairs), dtype=np.int64)
    place[order] = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
    quota = np.zeros(pairs.users, dtype=np.int64)
    quota[chosen] = np.maximum(1, np.floor(SHARE * counts[chosen])).astype(np.int64)
    held = place < quota[pairs.user]
    train = pairs.where(~held)
    truth = pairs.where(held)
    return Validation(train, train.matrix()[chosen], sparse.csr_matrix((truth.matrix() > 0)[chosen], dtype=np.float32))
