"""Where a list of recommendations is shown."""

from __future__ import annotations

from typing import Literal, get_args

Placement = Literal["home", "item", "cart", "after_payment", "search_empty", "category"]
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)
