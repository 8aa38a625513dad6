"""Currencies of ISO 4217 and their minor units: an amount is a whole number of minor units of a currency.

Source: ISO 4217, list one (active codes), without funds, metals and test codes (such as XAU, XXX, XTS), in which nobody pays.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

MOST_MINOR = 2**53 - 1  # the largest amount: the largest whole number that every reader of JSON keeps
MOST_SUM = 2**63 - 1  # a sum over many events stays within ± this
HOME_CURRENCY = "home_currency"  # a property that only a stamped event has (jishi.contract.home_money)

_TWO_DIGITS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK
DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD
KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
USD UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"

# Code → digits after the decimal point of one major unit.
MINOR_DIGITS: dict[str, int] = {
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}
# Withdrawn codes (list three), in which imported history may have been paid; no new shop keeps its books in one.
_WITHDRAWN_TWO_DIGITS = """
AFA ANG ATS AZM BGL BGN CSD CUC CYP DEM EEK FIM FRF GHC GWP HRK IEP LTL LVL MRO MTL MZM NLG RUR SDD SIT SKK SLL SRG STD TMM
VEB VEF YUM ZMK ZWD ZWL ZWR
"""
_WITHDRAWN_NO_DIGITS = "ADP BEF BYB BYR ESP GRD ITL LUF MGF PTE ROL TPE TRL"
WITHDRAWN_MINOR_DIGITS: dict[str, int] = {
    **dict.fromkeys(_WITHDRAWN_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_WITHDRAWN_NO_DIGITS.split(), 0),
}

# Of every currency in which something was or is paid.
CURRENCY_DIGITS: dict[str, int] = {**WITHDRAWN_MINOR_DIGITS, **MINOR_DIGITS}


class UnknownCurrency(ValueError):
    """No active ISO 4217 code; the message says so and gives an example."""


def capped(total: int) -> int:
    """A sum within the bounds that every engine keeps: what is beyond them is no money of any shop."""
    return min(MOST_SUM, max(-MOST_SUM, total))


def minor_digits(currency: str) -> int:
    """Digits of the currency's minor unit: JPY has none, CNY two, KWD three. Raises UnknownCurrency."""
    try:
        return MINOR_DIGITS[currency]
    except KeyError:
        raise UnknownCurrency(f"{currency!r} is no active ISO 4217 currency; write a code such as CNY or EUR") from None


def to_minor(major: Decimal, currency: str) -> int:
    """An amount in major units as whole minor units, half up. Raises UnknownCurrency."""
    return int(major.scaleb(minor_digits(currency)).quantize(Decimal(1), ROUND_HALF_UP))


def to_major(minor: int, currency: str) -> Decimal:
    """Minor units as an exact amount in major units. Raises UnknownCurrency."""
    return Decimal(minor).scaleb(-minor_digits(currency))


def rounded_major(minor: float | Decimal, currency: str) -> Decimal:
    """An amount in major units with the digits of its currency, half up: an average has more.

    >>> rounded_major(12345.678901, "CNY"), rounded_major(0.5, "JPY"), rounded_major(198000, "KWD")
    (Decimal('123.46'), Decimal('1'), Decimal('198.000'))
    """
    return Decimal(str(minor)).to_integral_value(ROUND_HALF_UP).scaleb(-CURRENCY_DIGITS[currency])


def shown(minor: float | Decimal, currency: str) -> str:
    """An amount for people, as ``rounded_major`` has it in files.

    >>> shown(198000, "JPY"), shown(198000, "EUR"), shown(5, "KWD"), shown(2.5, "JPY")
    ('198,000 JPY', '1,980.00 EUR', '0.005 KWD', '3 JPY')
    """
    return f"{rounded_major(minor, currency):,.{CURRENCY_DIGITS[currency]}f} {currency}"
