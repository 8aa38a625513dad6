"""Rates: exact, dated, rounded once half to even; compared with Python's own decimals and with sums done by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.fx_rates import FxRate, FxRates, load_rates, parse_rate, plain_text, save_rates
from jishi.money import CURRENCY_DIGITS, MOST_MINOR

DAY = date(2026, 3, 1)
currencies = st.sampled_from(["JPY", "USD", "KWD", "EUR", "CLP", "BHD", "DEM"])
rates = st.builds(lambda units, scale: Decimal(units).scaleb(-scale), st.integers(1, 10**18 - 1), st.integers(0, 18))


def in_home(minor: int, rate: str, currency: str, home: str) -> int:
    return FxRate(currency, DAY, parse_rate(rate)).conversion_to(home)(minor)


@pytest.mark.parametrize(
    ("minor", "currency", "rate", "home", "expected"),
    [
        (100, "USD", "150.25", "JPY", 150),  # 1.00 USD = 150.25 JPY, which has no digits
        (1000, "USD", "150.25", "JPY", 1502),  # 1502.5: half to even
        (3000, "USD", "150.25", "JPY", 4508),  # 4507.5: half to even
        (1500, "KWD", "490.5", "JPY", 736),  # 1.500 KWD = 735.75 JPY
        (1980, "JPY", "0.00205", "KWD", 4059),  # 1,980 JPY = 4.059 KWD
        (1, "KWD", "3", "USD", 0),  # 0.001 KWD = 0.003 USD
        (250, "EUR", "1", "USD", 250),
    ],
)
def test_digits_of_both_currencies_count(minor: int, currency: str, rate: str, home: str, expected: int) -> None:
    assert in_home(minor, rate, currency, home) == expected


@given(st.integers(0, 2 * MOST_MINOR), rates, currencies, currencies)
def test_an_amount_is_rounded_once_as_decimals_round(minor: int, rate: Decimal, currency: str, home: str) -> None:
    with localcontext() as context:
        context.prec = 80
        major = Decimal(minor).scaleb(-CURRENCY_DIGITS[currency]) * rate
        expected = int(major.quantize(Decimal(1).scaleb(-CURRENCY_DIGITS[home]), ROUND_HALF_EVEN).scaleb(CURRENCY_DIGITS[home]))
    assert FxRate(currency, DAY, rate).conversion_to(home)(minor) == expected


@given(st.lists(st.tuples(currencies, st.integers(0, 60), st.integers(1, 99)), max_size=30), currencies, st.integers(-5, 70))
def test_the_newest_rate_that_is_not_later_holds(known: list[tuple[str, int, int]], currency: str, on: int) -> None:
    by_day = {(code, day): Decimal(rate) for code, day, rate in known}
    table = FxRates.of("CNY", (FxRate(code, DAY + timedelta(days=day), rate) for (code, day), rate in by_day.items()))
    newest = table.at(currency, DAY + timedelta(days=on))
    days = [day for code, day in by_day if code == currency and day <= on]
    assert (newest is None) == (not days)
    if newest is not None:
        assert (newest.currency, newest.rate) == (currency, by_day[currency, max(days)])


@given(rates)
def test_a_rate_survives_its_text(rate: Decimal) -> None:
    assert parse_rate(plain_text(rate)) == rate


@pytest.mark.parametrize("text", ["", "0", "-1", "1,5", "NaN", "Infinity", "1e999999", "1e-999999", "1" * 19, "0." + "1" * 19])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rate|number|digits"):
        parse_rate(text)


def test_a_file_of_another_home_currency_is_none(tmp_path: Path) -> None:
    rates_of_shop = FxRates.of("JPY", [FxRate("USD", DAY, Decimal("150.25")), FxRate("EUR", DAY, Decimal(160))])
    save_rates(tmp_path, "s", rates_of_shop)
    assert load_rates(tmp_path, "s", "JPY") == rates_of_shop
    assert load_rates(tmp_path, "s", "EUR") == FxRates("EUR")
    assert load_rates(tmp_path, "other", "JPY") == FxRates("JPY")
