"""What would have stood in a list and was left out, and why: for the log, and for whoever asks why an item is not there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from serving.blend import Mask, Mix, best_allowed
from serving.catalogue import Catalogue, Item

MOST = 20  # named in an answer's log


def left_out(mix: Mix, eligible: Mask, bar: float) -> Iterable[int]:
    """Numbers of the items that score ``bar`` and more and may not be listed, best first."""
    above = (mix.score >= bar) & (mix.score > 0) & ~eligible
    return map(int, best_allowed(mix.score, above, MOST))


def why_not_sold(item_id: str, catalogue: Catalogue) -> str | None:
    """What the catalogue has against an item; None when it may be sold."""
    item: Item | None = catalogue.get(item_id)
    if item is None:
        return "not_in_catalogue"
    if item.status != "active":
        return item.status
    return None if item.is_sellable else "out_of_stock"
