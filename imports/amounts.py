"""Numbers as people write them → exact decimals: signs of currencies, thousands, decimal commas, accountants' brackets.

Which sign is the decimal one is a fact of a column, not of a cell: ``1.012`` alone tells nothing, ``12,50`` beside it does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal

DecimalSign = Literal[".", ","]

_MONEY_SIGNS = re.compile(r"(?:[A-Z]{3}\b|CN¥|US\$|HK\$|NT\$|R\$|[¥$€£₩₹₽元円]|\bRs\.?)")
_SPACES = re.compile(r"[\s\u00a0\u202f'’_]")
_SCIENTIFIC = re.compile(r"^[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+$")
_PLAIN = re.compile(r"^\d*\.?\d+$|^\d+\.$")
_DOTS_AS_THOUSANDS = re.compile(r"^\d{1,3}(\.\d{3})+$")
_COMMAS_AS_THOUSANDS = re.compile(r"^\d{1,3}(,\d{2,3})*,\d{3}$")  # Indian grouping too
_MOST_DIGITS = 40  # a longer number is no amount; it is left for the contract to refuse


@lru_cache(maxsize=1 << 16)  # the same few prices and counts fill an export
def number(text: str | None, decimal_sign: DecimalSign = ".") -> Decimal | None:
    """The exact number that a cell holds, or None when it holds none (``many``, ``NaN``, ``1e999999``, two signs)."""
    if text is None:
        return None
    bare, is_negative = _bare(text)
    other = "," if decimal_sign == "." else "."
    if _SCIENTIFIC.match(bare):
        return None if decimal_sign == "," else _small_scientific(bare, is_negative)
    whole, sign, fraction = bare.partition(decimal_sign)
    if other in fraction or decimal_sign in fraction:
        return None
    if other in whole:
        grouped = _COMMAS_AS_THOUSANDS if other == "," else _DOTS_AS_THOUSANDS
        if not grouped.match(whole):
            return None
        whole = whole.replace(other, "")
    digits = whole + ("." + fraction if sign else "")
    if not _PLAIN.match(digits) or len(digits) > _MOST_DIGITS:
        return None
    value = Decimal(digits)
    return -value if is_negative else value


def decimal_sign_of(cells: Iterable[str | None]) -> DecimalSign:
    """The decimal sign of a column: the last one where both occur, or one before one or two digits; ``.`` if nothing tells."""
    votes = {".": 0, ",": 0}
    for cell in cells:
        if cell is None:
            continue
        bare, _ = _bare(cell)
        dot, comma = bare.rfind("."), bare.rfind(",")
        if dot >= 0 and comma >= 0:
            votes["." if dot > comma else ","] += 1
        elif comma >= 0 and bare.count(",") == 1 and len(bare) - comma - 1 in (1, 2):
            votes[","] += 1
        elif dot >= 0 and bare.count(".") == 1 and len(bare) - dot - 1 != 3:
            votes["."] += 1
    return "," if votes[","] > votes["."] else "."


def _bare(text: str) -> tuple[str, bool]:
    """Digits and signs of a cell without currency and blanks, and whether it is negative."""
    text = unicodedata.normalize("NFKC", text).strip().replace("\u2212", "-")
    text = _SPACES.sub("", _MONEY_SIGNS.sub("", text))
    is_negative = False
    if text.startswith("(") and text.endswith(")"):
        text, is_negative = text[1:-1], True
    if text[-1:] == "-":
        text, is_negative = text[:-1], not is_negative
    if text[:1] in "+-" and text:
        text, is_negative = text[1:], is_negative != (text[0] == "-")
    return text, is_negative


def _small_scientific(text: str, is_negative: bool) -> Decimal | None:
    mantissa, _, exponent = text.lower().partition("e")
    try:
        if abs(int(exponent)) > _MOST_DIGITS:
            return None
        value = Decimal(mantissa).scaleb(int(exponent))
    except (InvalidOperation, ValueError):
        return None
    return -value if is_negative else value
