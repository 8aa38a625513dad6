"""Where a list of recommendations is shown."""

from __future__ import annotations

from typing import Literal, get_args

ListPlacement = Literal["home", "item", "cart", "after_payment", "search_empty"]
Placement = Literal[ListPlacement, "category"]  # a category's page asks for an order of its own items
LIST_PLACEMENTS: tuple[ListPlacement, ...] = get_args(ListPlacement)
