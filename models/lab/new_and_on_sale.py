"""Items that are new, and items below their usual price, as lists for everybody.

They do not serve: what is new and what costs how much now is in serving's live catalogue (``serving.offers``), a snapshot is
older; new items are explored (``models.candidates.newcomers``).
"""

from __future__ import annotations

import numpy as np

from models.algorithms.item_list import ItemList
from models.data.snapshot import DAY, Snapshot, Values


class New(ItemList):
    """Items listed within the last ``days`` days, the newest first: strength = 1 − age / days."""

    name = "new"

    def __init__(self, days: float = 14.0) -> None:
        self.days = days

    def _strength(self, moment: Snapshot) -> Values:
        age = (moment.as_of - moment.goods.listed_at) / DAY
        return np.where((age >= 0) & (age < self.days), 1.0 - age / self.days, 0.0)  # NaT gives NaN, which is never inside


class OnSale(ItemList):
    """Items below their own usual price: strength = 1 − price / reference price where that is ``least`` or more."""

    name = "on_sale"

    def __init__(self, least: float = 0.05) -> None:
        self.least = least

    def _strength(self, moment: Snapshot) -> Values:
        goods = moment.goods
        cut = 1.0 - goods.price / np.where(goods.reference_price > 0, goods.reference_price, np.nan)
        return np.where(cut >= self.least, cut, 0.0)
