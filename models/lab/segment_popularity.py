"""What sells in a person's segment.

It does not serve: the snapshot that a release learns from has no segments of persons. Serving's rung ``segment`` goes by
categories, whose sales the release has already (``serving.sources``).
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import NotFitted, Scores, State
from models.algorithms.timed_model import check_items, sales_within
from models.data.sequences import Numbers
from models.data.snapshot import Snapshot


def favourite_category(moment: Snapshot) -> Numbers:
    """The category in which each person's acts weigh most (the lowest number of equal ones), −1 for nobody's; a segment too."""
    category = moment.goods.category[moment.acts.item]
    known = category >= 0
    kinds = int(category.max(initial=-1)) + 1
    if kinds == 0:
        return np.full(moment.persons, -1, dtype=np.int64)
    weights = moment.acts.matrix()
    which = sparse.csr_matrix(
        (np.ones(int((moment.goods.category >= 0).sum()), dtype=np.float32), _places(moment.goods.category)),
        shape=(moment.items, int(moment.goods.category.max()) + 1),
    )
    total = np.asarray((weights @ which).toarray())
    touched = np.bincount(moment.acts.person[known], minlength=moment.persons) > 0
    return np.where(touched, total.argmax(axis=1), -1)


def _places(category: Numbers) -> tuple[Numbers, Numbers]:
    rows = np.flatnonzero(category >= 0)
    return rows, category[rows]


class SegmentPopularity:
    """Sales of the last ``days`` days within the person's segment, drawn towards those of the shop where a segment is small.

    strength = (sales in the segment + prior · the item's share of all sales) / (sales of the segment + prior). Somebody without
    a segment, or of an unknown one, gets the shop's shares.
    """

    name = "segment_popularity"

    def __init__(self, days: float = 28.0, prior: float = 50.0) -> None:
        self.days = days
        self.prior = prior
        self.shares_: Scores | None = None  # segments + 1 × items, the shop's own in the last row

    def fit(self, moment: Snapshot) -> Self:
        """Count sales by segment."""
        segments = int(moment.segment.max(initial=-1)) + 1
        owner, age = moment.segment[moment.acts.person], moment.age_days()
        sales = np.stack(
            [
                *(sales_within(moment.acts.where(owner == s), age[owner == s], self.days) for s in range(segments)),
                sales_within(moment.acts, age, self.days),
            ]
        )
        total = sales.sum(axis=1, keepdims=True)
        everywhere = sales[-1] / max(float(total[-1, 0]), 1e-12)
        shares = (sales + self.prior * everywhere) / np.maximum(total + self.prior, 1e-12)
        shares[-1] = everywhere
        self.shares_ = shares.astype(np.float32)
        return self

    def score(self, moment: Snapshot) -> Scores:
        """The shares of each person's segment."""
        shares = self._fitted()
        check_items(moment, shares.shape[1])
        known = (moment.segment >= 0) & (moment.segment < len(shares) - 1)
        return np.asarray(shares[np.where(known, moment.segment, len(shares) - 1)])

    def _fitted(self) -> Scores:
        if self.shares_ is None:
            raise NotFitted("fit the segment popularity model first")
        return self.shares_

    def state(self) -> State:
        """The shares."""
        return {"shares": self._fitted()}

    def from_state(self, state: State) -> Self:
        """Take over shares."""
        self.shares_ = state["shares"].astype(np.float32)
        return self
