"""What would have stood in a list and was left out, and what the catalogue has against an item: for the log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serving.blend import Mask, Vector, best_allowed
from serving.catalogue import Item

MOST = 20  # named in an answer's log


def left_out(score: Vector, eligible: Mask, listed: Sequence[int], limit: int) -> list[int]:
    """Numbers of items that are not ``eligible`` and score as high as the last of a full list, the best first; of a list with
    fewer than ``limit`` items all that score.
    """
    bar = float(score[listed[limit - 1]]) if len(listed) >= limit else 0.0
    above = (score >= np.float32(bar)) & (score > 0) & ~eligible
    return [int(number) for number in best_allowed(score, above, MOST)]


def why_not_sold(item: Item | None) -> str:
    """What keeps an item from being sold; it is one that may not be."""
    if item is None:
        return "not_in_catalogue"
    return item.status if item.status != "active" else "out_of_stock"
