"""A lake for a bench: a folder of its own with one registered shop and no table yet."""

from __future__ import annotations

from pathlib import Path

from jishi.lake import Lake
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shop, Shops


def settings_of(var: Path) -> Settings:
    """The settings of this process over another folder of state."""
    return get_settings().model_copy(update={"var": var})


def lake_of(var: Path, shop_id: str) -> Lake:
    """The empty lake below ``var``; the shop is registered there."""
    paths = Paths(var=var, envs=get_settings().envs)
    shops = Shops()
    shops.add(Shop(shop_id=shop_id, name=shop_id))
    shops.save(paths.shops_file)
    return Lake(paths.lake)
