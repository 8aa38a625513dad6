"""Values of a quarantined event in another form: exact, or as they were, for the contract to say what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jishi.amounts import DecimalSign, clear_decimal_sign_of, decimal_sign_of, number
from jishi.contract.bounds import MAX_DIGITS
from jishi.currency_signs import currencies_named
from jishi.money import CURRENCY_DIGITS


class Amount(NamedTuple):
    """A value as it came; decimals and decimal sign that a mapping gives it; whether it is surely in major units."""

    value: Any
    digits: int | None
    decimal: DecimalSign | None
    is_major: bool


class MinorUnits:
    """Reads the amounts of one event as minor units: all of them, or none where one has no exact amount.

    In a field named ``…_minor`` a whole number is minor units already and stays, unless a number with a fraction stands in
    another such field of the event: then its sender means major units in all of them. A text is an amount as people write it,
    in major units; so is what stood in a field whose name has no unit (``is_major``).
    """

    def __init__(self, amounts: Sequence[Amount], currency: str) -> None:
        self._currency = currency
        self._digits = CURRENCY_DIGITS.get(currency, 2)
        self._has_fraction = any(isinstance(a.value, float) and not a.value.is_integer() for a in amounts if not a.is_major)
        self._sign = clear_decimal_sign_of((a.value for a in amounts if isinstance(a.value, str)), self._digits)
        self._is_exact = all(self._minor(a) is not None for a in amounts)

    def of(self, amount: Amount) -> Any:
        """The amount in minor units; the value itself when it is minor units already, or no exact amount."""
        minor = self._minor(amount) if self._is_exact else None
        return amount.value if minor is None else minor

    def _minor(self, amount: Amount) -> Any:
        """Minor units, or None for what has no exact amount."""
        value = amount.value
        if isinstance(value, str):
            exact = self._read(value, amount.digits, amount.decimal)
        elif _is_number(value):
            if not amount.is_major and not self._has_fraction:
                return value
            exact = Decimal(str(value))
        else:
            return None
        return self._exact(exact, amount.digits)

    def _read(self, text: str, digits: int | None, decimal: DecimalSign | None) -> Decimal | None:
        if (named := currencies_named(text)) is not None and self._currency not in named:
            return None  # 12.50 USD are no euros
        if decimal is not None:
            return number(text, decimal)
        sign = self._sign
        if sign is None:
            return None  # 12.500 euros may be twelve or thousands
        _, comma, thousands = text.strip().partition(",")
        if comma and sign == "." and "." not in text and len(thousands) == (self._digits if digits is None else digits):
            return None  # 1,234 dinars of three decimals: nobody can know which
        return number(text, sign)

    def _exact(self, amount: Decimal | None, digits: int | None) -> int | None:
        if amount is None or not amount.is_finite() or (amount and abs(amount.adjusted()) > MAX_DIGITS):
            return None  # 1e999999 would fill the memory
        minor = amount.scaleb(self._digits if digits is None else digits)
        return int(minor) if minor == int(minor) else None


def to_text(value: Any) -> str | None:
    """A text and null as they are, anything else as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def to_integer(value: Any, decimal: DecimalSign | None) -> Any:
    """The whole number that a text or number holds."""
    if not isinstance(value, str) and not _is_number(value):
        return value
    text = str(value)
    exact = number(text, decimal or decimal_sign_of([text]))
    return int(exact) if exact is not None and exact == int(exact) else value


def to_instant(value: Any, form: str, zone: str) -> Any:
    """An instant in ISO 8601 from a local time of ``zone`` (``instant``), or from seconds or milliseconds since 1970."""
    try:
        if form == "instant":
            instant = datetime.fromisoformat(value)
            return (instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))).isoformat()
        since = Decimal(str(value).strip())
        if since and since.is_finite() and abs(since.adjusted()) > MAX_DIGITS:
            return value
        milliseconds = int(since * 1000 if form == "instant_from_s" else since)
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)).isoformat()
    except (InvalidOperation, OverflowError, TypeError, ValueError):
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
