"""What a person is due to buy again, from the person's own rhythm and the item's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse
from scipy.special import ndtr

from models.algorithms.recommender import NotFitted, Scores, State
from models.algorithms.timed_model import check_items
from models.data.sequences import Numbers
from models.data.snapshot import DAY, Snapshot, Values

SHORTEST_GAP_DAYS = 0.5  # days; orders closer together are one purchase


@dataclass(frozen=True)
class Rhythms:
    """One entry a person and item bought, ordered by both.

    Purchases, sum of the logarithms of the gaps between them (days), and days since the last one.
    """

    person: Numbers
    item: Numbers
    purchases: Numbers
    log_gaps: Values
    quiet_days: Values


def rhythms(moment: Snapshot) -> Rhythms:
    """Rhythms of the moment's payments; payments of one item less than half a day apart count as one."""
    paid = moment.acts.kind == "pay"
    person, item = moment.acts.person[paid], moment.acts.item[paid]
    at = (moment.acts.occurred_at[paid] - np.datetime64("1970-01-01")) / DAY
    key = person * moment.items + item
    order = np.lexsort((at, key))
    key, at = key[order], at[order]
    same = np.concatenate([[False], key[1:] == key[:-1]]) if len(key) else np.empty(0, dtype=np.bool_)
    gap = np.where(same, np.diff(at, prepend=at[:1]), np.inf)
    kept = gap >= SHORTEST_GAP_DAYS
    key, at, same, gap = key[kept], at[kept], same[kept], gap[kept]
    pair, start, count = np.unique(key, return_index=True, return_counts=True)
    logs = np.add.reduceat(np.where(same, np.log(np.where(same, gap, 1.0)), 0.0), start) if len(pair) else np.empty(0)
    now = (moment.as_of - np.datetime64("1970-01-01")) / DAY
    quiet = np.maximum(now - at[start + count - 1], SHORTEST_GAP_DAYS) if len(pair) else np.empty(0)
    return Rhythms(pair // moment.items, pair % moment.items, count, logs, quiet)


class BuyAgain:
    """The chance that a person buys an item again within ``horizon_days``, given how long ago the last purchase was.

    Gaps between purchases of an item are log-normal. The centre of a person's gap is the mean of the logarithms of their own
    gaps and ``person_prior`` times the item's; the item's is drawn towards the shop's in the same way by ``item_prior``. With F
    the distribution and t the days since the last purchase the chance of being due is (F(t + h) − F(t)) / (1 − F(t)), the
    hazard of the coming days. It is multiplied by the chance that there is a next purchase at all: a priori
    (r + a·q) / (n + a), where r of n purchases were followed by another, and q is that share for the item; the longer the
    silence, the likelier it is that there is none (Bayes with the survival 1 − F(t)).
    """

    name = "buy_again"

    def __init__(
        self, horizon_days: float = 7.0, person_prior: float = 1.0, item_prior: float = 5.0, spread: float = 0.6
    ) -> None:
        self.horizon_days = horizon_days
        self.person_prior = person_prior
        self.item_prior = item_prior
        self.spread = spread
        self.log_gap_: Values | None = None
        self.again_: Values | None = None

    def fit(self, moment: Snapshot) -> Self:
        """Learn each item's gap and how often it is bought again."""
        known = rhythms(moment)
        gaps = known.purchases - 1
        total = np.bincount(known.item, weights=known.log_gaps, minlength=moment.items)
        count = np.bincount(known.item, weights=gaps, minlength=moment.items)
        bought = np.bincount(known.item, weights=known.purchases, minlength=moment.items)
        return self.fit_sums(*(sums.astype(np.float64) for sums in (total, count, bought)))

    def fit_sums(self, total: Values, count: Values, bought: Values) -> Self:
        """The same from each item's sum of the logarithms of its gaps (days), its gaps, and its purchases."""
        usual = total.sum() / count.sum() if count.sum() else np.log(30.0)
        rate = count.sum() / bought.sum() if bought.sum() else 0.0
        self.log_gap_ = (total + self.item_prior * usual) / (count + self.item_prior)
        self.again_ = (count + self.item_prior * rate) / (bought + self.item_prior)
        return self

    def again_soon(self) -> Values:
        """The chance of each item to be bought again within ``horizon_days``, right after a purchase: again × F(horizon)."""
        log_gap, again = self._fitted()
        return np.asarray(again * ndtr((np.log(self.horizon_days) - log_gap) / self.spread))

    def score(self, moment: Snapshot) -> Scores:
        """The chance for each person and item; 0 for what a person never bought."""
        return np.asarray(self.due(moment).toarray())

    def due(self, moment: Snapshot) -> sparse.csr_matrix:
        """The same, persons × items, with entries only for what a person bought."""
        log_gap, again = self._fitted()
        check_items(moment, len(log_gap))
        rhythm = rhythms(moment)
        gaps = rhythm.purchases - 1
        centre = (rhythm.log_gaps + self.person_prior * log_gap[rhythm.item]) / (gaps + self.person_prior)
        before = (np.log(rhythm.quiet_days) - centre) / self.spread
        after = (np.log(rhythm.quiet_days + self.horizon_days) - centre) / self.spread
        survived = np.maximum(ndtr(-before), 1e-9)
        due = 1.0 - ndtr(-after) / survived
        next_one = (gaps + self.item_prior * again[rhythm.item]) / (rhythm.purchases + self.item_prior)
        alive = next_one * survived / (next_one * survived + 1.0 - next_one)
        chance = (np.clip(due, 0.0, 1.0) * alive).astype(np.float32)
        return sparse.csr_matrix((chance, (rhythm.person, rhythm.item)), shape=(moment.persons, moment.items))

    def _fitted(self) -> tuple[Values, Values]:
        if self.log_gap_ is None or self.again_ is None:
            raise NotFitted("fit the buy-again model first")
        return self.log_gap_, self.again_

    def state(self) -> State:
        """Centre of the gap (logarithm of days) and share of purchases followed by another, of each item."""
        log_gap, again = self._fitted()
        return {"log_gap": log_gap, "again": again}

    def from_state(self, state: State) -> Self:
        """Take over both."""
        self.log_gap_, self.again_ = state["log_gap"].astype(np.float64), state["again"].astype(np.float64)
        return self
