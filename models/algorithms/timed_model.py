"""The protocol of all timed models."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from models.algorithms.recommender import Scores, State
from models.data.interactions import Interactions
from models.data.snapshot import Moment, Values


class TimedModel(Protocol):
    """Fit on what a shop knew at one instant, then score any persons at that instant or a later one.

    What a model knows of a person is the acts that it is shown, so persons may be others than those of the fit.
    """

    name: str

    def fit(self, moment: Moment) -> Self:
        """Learn."""

    def score(self, moment: Moment) -> Scores:
        """Scores of every item for each person of the moment, shape (persons, items); higher is better, 0 for no opinion."""

    def state(self) -> State:
        """Fitted arrays by name, enough to restore the model."""

    def from_state(self, state: State) -> Self:
        """Take over fitted arrays."""


def check_items(moment: Moment, items: int) -> Moment:
    """The moment. Raises ValueError when it has another number of items than the model was fitted on."""
    if moment.items != items:
        raise ValueError(f"the moment has {moment.items} items, the model was fitted on {items}")
    return moment


def sales_within(acts: Interactions, age_days: Values, days: float, view_weight: float = 0.01) -> Values:
    """Payments of each item within the last ``days`` days, views counting ``view_weight``; NaN-free, shape (items,)."""
    inside = age_days <= days
    weight = np.where(acts.kind == "pay", 1.0, np.where(acts.kind == "view", view_weight, 0.0)) * inside
    return np.bincount(acts.item, weights=weight, minlength=len(acts.item_ids)).astype(np.float64)
