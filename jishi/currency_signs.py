"""Currencies that a cell names beside its amount: a code of ISO 4217, or a sign, which may stand for several.

``$12`` may be dollars of many countries and is no euro; ``12.50 USD`` is a US dollar. Source of signs: Unicode CLDR.
"""

from __future__ import annotations

import re
import unicodedata

from jishi.money import CURRENCY_DIGITS

_DOLLARS = (
    "USD ARS AUD BBD BMD BND BSD BZD CAD CLP COP CUP CVE DOP FJD GYD HKD JMD KYD LRD MXN NAD NIO NZD SBD SGD SRD TTD TWD "
    "UYU XCD"
)
_RUPEES, _KRONER = "INR LKR MUR NPR PKR SCR", "DKK ISK NOK SEK"
# Longer signs first: US$ is no $.
_SIGNS = {
    **{"CN¥": "CNY", "US$": "USD", "HK$": "HKD", "NT$": "TWD", "NZ$": "NZD", "MX$": "MXN", "R$": "BRL", "A$": "AUD"},
    **{"C$": "CAD", "S$": "SGD", "人民币": "CNY", "人民幣": "CNY", "RMB": "CNY", "руб.": "RUB", "руб": "RUB", "Kč": "CZK"},
    **{"zł": "PLN", "Ft": "HUF", "лв": "BGN", "Rp": "IDR", "RM": "MYR", "Rs.": _RUPEES, "Rs": _RUPEES, "kr.": _KRONER},
    **{"kr": _KRONER, "$": _DOLLARS, "¥": "CNY JPY", "円": "JPY", "元": "CNY HKD MOP TWD", "€": "EUR", "₩": "KRW KPW"},
    **{"£": "GBP EGP FKP GIP LBP SDG SHP SSP SYP", "₹": "INR", "₽": "RUB", "₫": "VND", "₺": "TRY", "₴": "UAH", "₸": "KZT"},
    **{"₱": "PHP CUP", "฿": "THB", "₪": "ILS", "₦": "NGN", "₡": "CRC", "₲": "PYG", "₵": "GHS", "₼": "AZN", "₾": "GEL"},
    **{"₮": "MNT", "₭": "LAK", "֏": "AMD", "৳": "BDT", "៛": "KHR"},
}
_MAY_NAME = re.compile(r"[$A-Zk]")
_LETTER = r"[^\W\d_]"
_NAMES = re.compile(
    rf"(?<!{_LETTER})(?:{'|'.join(sorted(CURRENCY_DIGITS))})(?!{_LETTER})|"
    + "|".join(
        (rf"(?<!{_LETTER})" if sign[0].isalpha() and sign[0].isascii() else "")
        + re.escape(sign)
        + (rf"(?!{_LETTER})" if sign[-1].isalpha() and sign[-1].isascii() else "")
        for sign in _SIGNS
    )
)


def without_names(text: str) -> str:
    """The text without codes and signs of currencies."""
    return _NAMES.sub("", text)


def currencies_named(text: str | None) -> frozenset[str] | None:
    """Codes that an amount may be in by what stands beside it; None when nothing does.

    >>> sorted(currencies_named("12.50 USD")), sorted(currencies_named("¥1,980")), currencies_named("12.50")
    (['USD'], ['CNY', 'JPY'], None)
    """
    if text is None or (text.isascii() and not _MAY_NAME.search(text)):
        return None
    usual = unicodedata.normalize("NFKC", text)  # full-width signs as the others
    named = [frozenset(_SIGNS.get(name, name).split()) for name in _NAMES.findall(usual)]
    return frozenset.intersection(*named) if named else None


def currency_code(text: str) -> str:
    """The code of a column of currencies, also where it holds a sign.

    >>> [currency_code(text) for text in ("usd", "RMB", "€", "$")]
    ['USD', 'CNY', 'EUR', '$']
    """
    named = currencies_named(text)
    return next(iter(named)) if named is not None and len(named) == 1 else text.upper()
