"""A shop's exchange rates: what one unit of another currency is worth in the shop's home currency, by date.

The rate of a date holds until the next one. Rates are exact decimals; an amount of money is rounded once, half to even, to
whole minor units of the home currency. The lake's table ``bronze/fx_rates`` holds the rates of every version; a small file
holds the newest, for those who stamp events (``jishi.contract.home_money``).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from jishi.files import write_json
from jishi.money import CURRENCY_DIGITS

MOST_DIGITS = 18  # of a rate, before and behind its point: products with the largest amount fit 128 bits in every engine


@dataclass(frozen=True)
class FxRate:
    """``rate`` home units (not minor ones) for one unit of ``currency``, from ``rate_date`` (a date in the shop's zone) on."""

    currency: str
    rate_date: date
    rate: Decimal

    def conversion_to(self, home_currency: str) -> Conversion:
        """Minor units of the currency to minor units of the home currency."""
        units, scale = units_and_scale(self.rate)
        shift = CURRENCY_DIGITS[home_currency] - CURRENCY_DIGITS[self.currency]
        return Conversion(units * 10 ** max(0, shift), 10 ** (scale + max(0, -shift)))


@dataclass(frozen=True)
class Conversion:
    """Amounts times ``numerator / denominator``."""

    numerator: int
    denominator: int

    def __call__(self, minor: int) -> int:
        """A whole amount, half to even.

        >>> [Conversion(1, 2)(minor) for minor in (1, 2, 3, 5)]
        [0, 1, 2, 2]
        """
        whole, rest = divmod(minor * self.numerator, self.denominator)
        twice = 2 * rest
        return whole + (twice > self.denominator or (twice == self.denominator and whole % 2 == 1))


@dataclass(frozen=True)
class FxRates:
    """The rates of one shop to its ``home_currency``."""

    home_currency: str
    by_currency: Mapping[str, tuple[FxRate, ...]] = field(default_factory=dict)  # each by date

    @classmethod
    def of(cls, home_currency: str, rates: Iterable[FxRate]) -> FxRates:
        """Rates in any order, one for each currency and date."""
        by_currency: dict[str, list[FxRate]] = {}
        for rate in sorted(rates, key=lambda rate: (rate.currency, rate.rate_date)):
            by_currency.setdefault(rate.currency, []).append(rate)
        return cls(home_currency, {currency: tuple(of_currency) for currency, of_currency in by_currency.items()})

    def __iter__(self) -> Iterator[FxRate]:
        """Every rate, by currency and date."""
        return (rate for rates in self.by_currency.values() for rate in rates)

    def at(self, currency: str, on: date) -> FxRate | None:
        """The rate of the latest date that is not after ``on``; None without any."""
        rates = self.by_currency.get(currency, ())
        place = bisect_right(rates, on, key=lambda rate: rate.rate_date)
        return rates[place - 1] if place else None


def parse_rate(text: str) -> Decimal:
    """An exact rate. Raises ValueError with what is wrong with the text."""
    try:
        rate = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is no number; write it with a decimal point, such as 150.25") from None
    if not rate.is_finite() or rate <= 0:
        raise ValueError(f"{text[:40]!r} is no rate; it must be above 0")
    rate = rate.normalize() if abs(rate.adjusted()) <= MOST_DIGITS else rate
    digits, exponent = rate.as_tuple().digits, int(rate.as_tuple().exponent)
    if len(digits) + max(0, exponent) > MOST_DIGITS or -exponent > MOST_DIGITS:
        raise ValueError(f"{text[:40]!r} has more than {MOST_DIGITS} digits, or as many decimals; round it")
    return rate


def units_and_scale(rate: Decimal) -> tuple[int, int]:
    """The rate as ``units / 10**scale``."""
    scale = max(0, -int(rate.as_tuple().exponent))
    return int(rate.scaleb(scale)), scale


def plain_text(rate: Decimal) -> str:
    """The rate without an exponent, as it stands in events and tables."""
    return f"{rate:f}"


def rates_file(folder: Path, shop_id: str) -> Path:
    """The file of a shop's newest rates."""
    return folder / f"{shop_id}.json"


def load_rates(folder: Path, shop_id: str, home_currency: str) -> FxRates:
    """The newest rates of a shop to this home currency; none where it has no file, or one of another home currency."""
    try:
        content = json.loads(rates_file(folder, shop_id).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return FxRates(home_currency)
    if content["home_currency"] != home_currency:
        return FxRates(home_currency)
    rates = (FxRate(currency, date.fromisoformat(on), Decimal(rate)) for currency, on, rate in content["rates"])
    return FxRates.of(home_currency, rates)


def save_rates(folder: Path, shop_id: str, rates: FxRates) -> None:
    """Write the file of a shop's rates in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [[rate.currency, rate.rate_date.isoformat(), plain_text(rate.rate)] for rate in rates]
    write_json(rates_file(folder, shop_id), {"home_currency": rates.home_currency, "rates": rows})
