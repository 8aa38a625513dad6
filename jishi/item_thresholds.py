"""What a shop may set about its items: when one is to be restocked, when it lies too long, and the bounds of price bands."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ItemThresholds(BaseModel):
    """When an item is worth a merchant's look.

    It is a candidate to restock with ``restock_units_30d`` pieces sold in 30 days (月销超千件) and a stock that lasts for less
    than ``restock_cover_days`` at that pace. It moves slowly when it has been listed for ``slow_days`` and its stock lasts for
    more than ``slow_cover_days`` at the pace of these days. ``price_bounds_minor`` (home currency) are the lowest prices of the
    bands after the first; without them the shop's items are cut into five bands of equal number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    restock_units_30d: int = Field(1000, ge=1)
    restock_cover_days: int = Field(14, ge=1, le=3650)
    slow_days: int = Field(60, ge=1, le=3650)
    slow_cover_days: int = Field(180, ge=1, le=3650)
    price_bounds_minor: tuple[int, ...] = Field((), max_length=20)

    @model_validator(mode="after")
    def _rises(self) -> ItemThresholds:
        """Bounds rise from band to band."""
        bounds = self.price_bounds_minor
        if list(bounds) != sorted(set(bounds)) or any(bound < 1 for bound in bounds):
            raise ValueError(f"price_bounds_minor has to rise from 1 on, such as 5000, 10000; it is {list(bounds)}")
        return self

    @property
    def thresholds(self) -> list[tuple[str, int, int]]:
        """As rows of measure, number (from 1) and threshold."""
        names = ("restock_units_30d", "restock_cover_days", "slow_days", "slow_cover_days")
        bounds = [("price_bound_minor", number, bound) for number, bound in enumerate(self.price_bounds_minor, 1)]
        return [(name, 1, getattr(self, name)) for name in names] + bounds
