"""The home currency and rates of each shop, in memory; a shop's rates are read again when their file changes."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from jishi.contract.home_money import ShopMoney
from jishi.fx_rates import FxRates, load_rates, rates_file

log = logging.getLogger(__name__)


class ShopMoneys:
    """``ShopMoney`` by shop. Used by one thread; a request costs one look at the file's times."""

    def __init__(self, folder: Path) -> None:
        """``folder`` has the files of ``jishi.fx_rates``."""
        self._folder = folder
        self._known: dict[str, tuple[object, ShopMoney]] = {}

    def of(self, shop_id: str, currency: str, time_zone: str) -> ShopMoney:
        """Home currency, zone and newest rates of a shop. Rates that were known stay when the file cannot be read."""
        stamp = (currency, time_zone, self._stat(shop_id))
        known = self._known.get(shop_id)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            rates = load_rates(self._folder, shop_id, currency)
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, json.JSONDecodeError) as error:
            log.error("rates of %s cannot be read (%s): those known before stay", shop_id, type(error).__name__)
            before = known[1].rates if known is not None else None
            rates = before if before is not None and before.home_currency == currency else FxRates(currency)
        money = ShopMoney(time_zone, rates)
        self._known[shop_id] = (stamp, money)
        return money

    def _stat(self, shop_id: str) -> tuple[int, int, int] | None:
        try:
            stat = rates_file(self._folder, shop_id).stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
