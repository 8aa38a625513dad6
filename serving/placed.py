"""Scores for a placement that has its own model in the release.

The model has two parts: what goes with the given items, and the person's list. Each part enters the mix under its own source
name (the list under the origin of each entry), so that the reason of an item names the part that carried it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from serving.blend import NONE, Blend, Mask, Mix, scale
from serving.shelf import Placed

Basis = Literal["person", "items", "both"] | None  # what the placement's model used: the person's list, the given items
_GIVEN = ("item", "cart")  # placements whose question starts from items


def given_items(
    placement: str, visit: Sequence[int], cart: Sequence[int], context: int | None, order: Sequence[int] = ()
) -> list[int]:
    """Numbers of the items that the placement's model answers from, oldest first.

    On an item page: the last items of the visit, then the page's item. In the cart: its items; where the storefront does not
    send them, as on an item page. After payment: the items just paid. Elsewhere none: the person's list answers.
    """
    if placement == "after_payment":
        return list(order)
    if placement not in _GIVEN:
        return []
    last = [] if context is None else [context]
    if placement == "cart" and cart:
        return list(dict.fromkeys([*cart, *last]))
    return [*(number for number in reversed(visit) if number != context), *last]


def add_model(mix: Mix, placed: Placed, given: Sequence[int], persons: Sequence[str], shown_not: Mask, blend: Blend) -> Basis:
    """Add the scores of the placement's model to the mix, without items that are not to be shown.

    Returns which of its two parts answered; None where neither knows the person or the items.
    """
    followers = placed.follow(given)
    if followers is not None and placed.reason is not None:
        weights, because = followers
        mix.add(placed.reason, blend.placed, scale(np.where(shown_not, np.float32(0), weights)), because)
    personal = next((entries for person in persons if (entries := placed.personal(person)) is not None), None)
    if personal is not None:
        kept = ~shown_not[personal.items]
        items, strength, because = personal.items[kept], scale(personal.weights[kept]), personal.because[kept]
        origins = [origin for origin, is_kept in zip(personal.origins, kept, strict=True) if is_kept]
        for origin in dict.fromkeys(origins):
            here = np.array([each == origin for each in origins])
            total, cause = np.zeros(len(mix.score), dtype=np.float32), np.full(len(mix.score), NONE, dtype=np.int64)
            total[items[here]], cause[items[here]] = strength[here], because[here]
            mix.add(origin, blend.placed * placed.personal_share, total, cause)
    if personal is None:
        return None if followers is None else "items"
    return "person" if followers is None else "both"
