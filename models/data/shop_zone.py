"""By which clocks a shop lives."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from jishi.paths import Paths
from jishi.shops import Shops


def zone_of(paths: Paths, shop_id: str) -> ZoneInfo:
    """The shop's time zone; UTC for one that is not registered."""
    shop = Shops.load(paths.shops_file).shops.get(shop_id)
    return ZoneInfo("UTC" if shop is None else shop.time_zone)
