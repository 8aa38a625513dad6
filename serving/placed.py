"""The sources of a list whose placement has a model of its own in the release.

The model's two parts keep their names in the mix: what goes with the given items, and the person's own list by the origin of
each entry; so the reason of an item is what the model really went by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from serving.blend import NONE, Blend, Mask, Mix, scale
from serving.shelf import Placed

Said = Literal["person", "items", "both"] | None  # what a model went by
_GIVEN = ("item", "cart")  # placements whose question starts from items


def given_items(placement: str, recent: Sequence[int], cart: Sequence[int], context: int | None) -> list[int]:
    """What the placement's model is asked about, oldest first.

    On an item page the visit so far and then the page's item; in the cart its items, or where the storefront does not tell them
    the page's item and what the person acted upon lately. Elsewhere nothing: the person's own list answers.
    """
    if placement not in _GIVEN:
        return []
    last = [] if context is None else [context]
    if placement == "cart" and cart:
        return list(dict.fromkeys([*cart, *last]))
    return [*(number for number in reversed(recent) if number != context), *last]


def add_model(mix: Mix, placed: Placed, given: Sequence[int], persons: Sequence[str], shown_not: Mask, blend: Blend) -> Said:
    """Add what the placement's model says to the mix, without items that are not to be shown; what it went by."""
    found = placed.follow(given)
    if found is not None and placed.reason is not None:
        weights, because = found
        mix.add(placed.reason, blend.placed, scale(np.where(shown_not, np.float32(0), weights)), because)
    own = next((told for person in persons if (told := placed.own(person)) is not None), None)
    if own is not None:
        kept = ~shown_not[own.items]
        items, strength, because = own.items[kept], scale(own.weights[kept]), own.because[kept]
        origins = [origin for origin, is_kept in zip(own.origins, kept, strict=True) if is_kept]
        for origin in dict.fromkeys(origins):
            here = np.array([each == origin for each in origins])
            total, cause = np.zeros(len(mix.score), dtype=np.float32), np.full(len(mix.score), NONE, dtype=np.int64)
            total[items[here]], cause[items[here]] = strength[here], because[here]
            mix.add(origin, blend.placed * placed.own_share, total, cause)
    if own is None:
        return None if found is None else "items"
    return "person" if found is None else "both"
