"""Lists that are the same for everybody: popular of late, trending, new, on sale."""

from __future__ import annotations

from typing import Self

import numpy as np

from jishi.preference import WEIGHTS
from models.algorithms.recommender import NotFitted, Scores, State
from models.algorithms.timed_model import check_items, sales_within
from models.data.snapshot import Moment, Values


class _ItemList:
    """A strength of each item, above zero where the list has an opinion."""

    name = ""
    strength_: Scores | None = None

    def fit(self, moment: Moment) -> Self:
        """Compute the strengths."""
        self.strength_ = self._strength(moment).astype(np.float32)
        return self

    def _strength(self, moment: Moment) -> Values:
        raise NotImplementedError

    def score(self, moment: Moment) -> Scores:
        """The strengths, for every person."""
        strength = self._fitted()
        check_items(moment, len(strength))
        return np.broadcast_to(strength, (moment.persons, len(strength)))

    def _fitted(self) -> Scores:
        if self.strength_ is None:
            raise NotFitted(f"fit the {self.name} model first")
        return self.strength_

    def state(self) -> State:
        """The strengths."""
        return {"strength": self._fitted()}

    def from_state(self, state: State) -> Self:
        """Take over strengths."""
        self.strength_ = state["strength"].astype(np.float32)
        return self


class WindowedPopularity(_ItemList):
    """What sold within the last ``days`` days; a view counts a hundredth of a sale."""

    name = "windowed_popularity"

    def __init__(self, days: float = 14.0) -> None:
        self.days = days

    def _strength(self, moment: Moment) -> Values:
        return sales_within(moment.acts, moment.age_days(), self.days)


class Trending(_ItemList):
    """Interest of the last ``short_days`` days against what the last ``long_days`` days let expect.

    strength = (s + m) / (l · short / long + m), where s and l are weighted acts (``jishi.preference.WEIGHTS``) of the item in
    either window, and ``smoothing`` m keeps an item of three acts from leading. An item without acts in the short window has
    no strength.
    """

    name = "trending"

    def __init__(self, short_days: float = 3.0, long_days: float = 28.0, smoothing: float = 20.0) -> None:
        self.short_days = short_days
        self.long_days = long_days
        self.smoothing = smoothing

    def _strength(self, moment: Moment) -> Values:
        acts, age = moment.acts, moment.age_days()
        weight = np.zeros(len(acts))
        for kind, worth in WEIGHTS.items():
            weight[acts.kind == kind] = worth
        short, long = (
            np.bincount(acts.item, weights=weight * (age <= days), minlength=moment.items)
            for days in (self.short_days, self.long_days)
        )
        expected = long * self.short_days / self.long_days
        return np.where(short > 0, (short + self.smoothing) / (expected + self.smoothing), 0.0)
