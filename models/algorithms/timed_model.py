"""Algorithms on what a shop knew at one instant; they score persons at that instant or a later one."""

from __future__ import annotations

import numpy as np

from models.algorithms.recommender import Algorithm
from models.data.interactions import Interactions
from models.data.snapshot import Snapshot, Values

TimedModel = Algorithm[Snapshot]  # a score of 0 is no opinion


def check_items(moment: Snapshot, items: int) -> Snapshot:
    """The moment. Raises ValueError when it has another number of items than the model was fitted on."""
    if moment.items != items:
        raise ValueError(f"the moment has {moment.items} items, the model was fitted on {items}")
    return moment


def sales_within(acts: Interactions, age_days: Values, days: float, view_weight: float = 0.01) -> Values:
    """Payments of each item within the last ``days`` days, views counting ``view_weight``; NaN-free, shape (items,)."""
    inside = age_days <= days
    weight = np.where(acts.kind == "pay", 1.0, np.where(acts.kind == "view", view_weight, 0.0)) * inside
    return np.bincount(acts.item, weights=weight, minlength=len(acts.item_ids)).astype(np.float64)
