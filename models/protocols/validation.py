"""A validation slice cut from the training pairs alone; of the test it knows only whether it comes later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.data.sequences import Numbers, places_in_rows
from models.protocols.interactions import InteractionTask, Pairs

SHARE = 0.1
MOST_USERS = 10_000
ENOUGH, MOST_FOLDS = 4_000, 5


@dataclass(frozen=True)
class Validation:
    """What is left to learn from, and the users who are asked about."""

    train: Pairs
    users: Numbers  # numbers of the users who are asked about, ascending
    histories: sparse.csr_matrix
    relevant: sparse.csr_matrix

    def sample(self, teachers: int, asked: int, seed: int) -> Validation:
        """A smaller slice for a first look: ``asked`` users at random, with others ``teachers`` to learn from."""
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.permutation(len(self.users))[:asked])
        users = self.users[rows]
        others = rng.permutation(np.setdiff1d(np.arange(self.train.users), users))[: max(0, teachers - len(users))]
        is_teacher = np.zeros(self.train.users, dtype=bool)
        is_teacher[users] = is_teacher[others] = True
        return Validation(
            self.train.where(is_teacher[self.train.user]), users, self.histories[rows], sparse.csr_matrix(self.relevant[rows])
        )


def folds_of(task: InteractionTask, seed: int) -> list[Validation]:
    """Slices to validate on: one where many users can be asked or the latest items are held out, else several random ones, so
    that small data decide on ``ENOUGH`` lists too. Empty when no user has two items.
    """
    first = cut(task, seed)
    if first is None:
        return []
    count = 1 if _by_time(task) else min(MOST_FOLDS, -(-ENOUGH // len(first.users)))
    others = (cut(task, seed + number) for number in range(1, count))
    return [first, *(fold for fold in others if fold is not None)]


def _by_time(task: InteractionTask) -> bool:
    return task.is_later and task.train.at is not None


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
    chosen = np.sort(rng.permutation(able)[:MOST_USERS])
    urge = pairs.at if _by_time(task) and pairs.at is not None else np.zeros(len(pairs))
    order = np.lexsort((rng.random(len(pairs)), -urge, pairs.user))
    place = np.empty(len(pairs), dtype=np.int64)
    place[order] = places_in_rows(counts)
    quota = np.zeros(pairs.users, dtype=np.int64)
    quota[chosen] = np.maximum(1, np.floor(SHARE * counts[chosen])).astype(np.int64)
    held = place < quota[pairs.user]
    train = pairs.where(~held)
    truth = pairs.where(held)
    relevant = sparse.csr_matrix((truth.matrix() > 0)[chosen], dtype=np.float32)
    return Validation(train, chosen, train.matrix()[chosen], relevant)
