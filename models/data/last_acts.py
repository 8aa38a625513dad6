"""The last items that a person looked at or put into the cart, as the online store would say at an instant."""

from __future__ import annotations

import numpy as np

from models.data.interactions import Interactions
from models.data.sequences import Numbers
from models.data.visits import LOOKED_BACK

LISTED = ("view", "add")  # acts that the feature of last items is made of
_SECOND = np.timedelta64(1, "s")
Ages = np.ndarray


class LastActs:
    """Acts in the order of knowing, by person."""

    def __init__(self, acts: Interactions) -> None:
        acts = acts.where(np.isin(acts.kind, LISTED))
        order = np.lexsort((np.arange(len(acts)), acts.received_at, acts.person))
        self._person, self._item, self._known_at = acts.person[order], acts.item[order], acts.received_at[order]

    def at(self, person: int, instant: np.datetime64) -> tuple[Numbers, Ages]:
        """Numbers of the different items of the last 20 acts known at the instant, newest first, and how many seconds ago each
        became known.
        """
        first, last = np.searchsorted(self._person, [person, person + 1])
        end = first + int(np.searchsorted(self._known_at[first:last], instant, side="right"))
        span = slice(max(first, end - LOOKED_BACK), end)
        items, ages = self._item[span][::-1], (instant - self._known_at[span][::-1]) / _SECOND
        newest = np.sort(np.unique(items, return_index=True)[1])
        return items[newest], np.asarray(ages[newest], dtype=np.float64)
