"""How much the place in a list does for a click: an item in the tenth place is seen less often than one in the first.

Position-based model (Craswell et al., WSDM 2008): a click needs that the place is looked at and that the item is liked,
P(click) = examination(place) · attraction(item). Both follow from clicks and impressions of items that stood in several places,
so that a place is not thought bad because bad items stand there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.data.sequences import Numbers

Values = npt.NDArray[np.float64]
MOST_PLACES = 50  # those below count as the last of these
PRIOR_CLICKS = 20.0  # with so few clicks a place is half taken for an average one
ROUNDS = 50


@dataclass(frozen=True)
class PlacedImpressions:
    """Counts by item and place, one row each: the item's number, its place from 0, how often it was shown and clicked there."""

    item: Numbers
    place: Numbers
    shown: Values
    clicked: Values

    def examination(self) -> Values:
        """Of each place how often it is looked at, the average impression being 1; 1 everywhere without any click.

        Maximum likelihood of clicks that are Poisson with shown · examination · attraction, by alternating between the two,
        each place drawn towards 1 as ``PRIOR_CLICKS`` clicks would.
        """
        place = np.minimum(self.place, MOST_PLACES - 1)
        looked_at = np.ones(MOST_PLACES)
        if not self.clicked.sum() > 0:
            return looked_at
        clicks_of_place = np.bincount(place, weights=self.clicked, minlength=MOST_PLACES)
        clicks_of_item = np.bincount(self.item, weights=self.clicked)
        for _ in range(ROUNDS):
            seen = np.bincount(self.item, weights=self.shown * looked_at[place])
            attraction = clicks_of_item / np.maximum(seen, 1e-12)
            expected = np.bincount(place, weights=self.shown * attraction[self.item], minlength=MOST_PLACES)
            looked_at = (clicks_of_place + PRIOR_CLICKS) / (expected + PRIOR_CLICKS)
            looked_at /= np.average(looked_at[place], weights=self.shown)
        return looked_at

    def examined(self, items: int, at: int, looked_at: Values) -> Values:
        """Of each of so many items the impressions as if all had been in the place ``at``: what its clicks are to be held
        against, never less than the clicks. ``looked_at`` is how often each place is (``examination``).
        """
        place = np.minimum(self.place, MOST_PLACES - 1)
        seen = np.bincount(self.item, weights=self.shown * looked_at[place] / looked_at[at], minlength=items)
        return np.maximum(seen, np.bincount(self.item, weights=self.clicked, minlength=items))
