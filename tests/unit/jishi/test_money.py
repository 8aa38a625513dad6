"""Currencies: digits by ISO 4217, exact conversion there and back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.money import MINOR_DIGITS, UnknownCurrency, minor_digits, rounded_major, shown, to_major, to_minor


@pytest.mark.parametrize(
    ("currency", "major", "minor"),
    [("JPY", "1980", 1980), ("CNY", "19.80", 1980), ("KWD", "1.980", 1980), ("EUR", "0.005", 1), ("JPY", "0.5", 1)],
)
def test_a_major_amount_has_the_minor_units_of_its_currency(currency: str, major: str, minor: int) -> None:
    assert to_minor(Decimal(major), currency) == minor


@pytest.mark.parametrize("code", ["ZZZ", "XXX", "XTS", "XAU", "cny", "", "EURO"])
def test_what_is_no_money_is_refused_by_name(code: str) -> None:
    with pytest.raises(UnknownCurrency, match="ISO 4217"):
        minor_digits(code)


@given(st.integers(-(2**53), 2**53), st.sampled_from(sorted(MINOR_DIGITS)))
def test_there_and_back_is_the_same_amount(minor: int, currency: str) -> None:
    assert to_minor(to_major(minor, currency), currency) == minor


@pytest.mark.parametrize(("minor", "currency"), [(12344.5, "CNY"), (2.5, "JPY"), (0.5, "KWD"), (-2.5, "JPY"), (10**15, "EUR")])
def test_a_mean_is_the_same_amount_on_a_page_as_in_a_file(minor: float, currency: str) -> None:
    assert shown(minor, currency) == f"{rounded_major(minor, currency):,} {currency}"
