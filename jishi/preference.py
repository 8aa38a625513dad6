"""How much an act of a person tells of a preference for an item; every recommender reads it from here.

The strength of a preference is log(1 + Σ weight of the person's acts on the item), so that a hundred views are not a hundred
times one.
"""

from __future__ import annotations

# Relative to a view; the order is that of the funnel.
WEIGHTS: dict[str, float] = {"view": 1.0, "share": 2.0, "add": 3.0, "pay": 5.0}
