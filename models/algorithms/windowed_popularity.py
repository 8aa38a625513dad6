"""What sold lately: the same list for everybody."""

from __future__ import annotations

from models.algorithms.item_list import ItemList
from models.algorithms.timed_model import sales_within
from models.data.snapshot import Snapshot, Values


class WindowedPopularity(ItemList):
    """What sold within the last ``days`` days; a view counts a hundredth of a sale."""

    name = "windowed_popularity"

    def __init__(self, days: float = 14.0) -> None:
        self.days = days

    def _strength(self, moment: Snapshot) -> Values:
        return sales_within(moment.acts, moment.age_days(), self.days)
