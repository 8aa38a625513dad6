"""Numbers as people write them → exact decimals: signs of currencies, thousands, decimal commas, accountants' brackets.

Which sign is the decimal one is a fact of a column, not of a cell: ``1.012`` alone tells nothing, ``12,50`` beside it does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import repeat
from typing import Literal

from jishi.currency_signs import without_names

DecimalSign = Literal[".", ","]

_SPACES = re.compile(r"[\s\u00a0\u202f'’_\u066c]")  # the last one is Arabic's sign of thousands
_ARABIC_DECIMAL = "\u066b"
_SCIENTIFIC = re.compile(r"^[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+$")
_PLAIN = re.compile(r"^\d*\.?\d+$|^\d+\.$")
_DOTS_AS_THOUSANDS = re.compile(r"^\d{1,3}(\.\d{3})+$")
_COMMAS_AS_THOUSANDS = re.compile(r"^\d{1,3}(,\d{2,3})*,\d{3}$")  # Indian grouping too
_THREE_AFTER_SIGN = re.compile(r"^[1-9]\d{0,2}[.,]\d{3}$")  # decimals, or thousands
_MOST_DIGITS = 40  # a longer number is no amount; it is left for the contract to refuse


@lru_cache(maxsize=1 << 16)  # the same few prices and counts fill an export
def number(text: str | None, decimal_sign: DecimalSign = ".") -> Decimal | None:
    """The exact number that a cell holds, or None when it holds none (``many``, ``NaN``, ``1e999999``, two signs)."""
    if text is None:
        return None
    bare, is_negative = _bare(text)
    bare = bare.replace(_ARABIC_DECIMAL, decimal_sign)
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


def decimal_sign_of(cells: Iterable[str | None], digits: int | Iterable[int] = 2) -> DecimalSign:
    """The decimal sign of a column of amounts, or ``.`` if nothing tells; see ``clear_decimal_sign_of``."""
    return clear_decimal_sign_of(cells, digits) or "."


def clear_decimal_sign_of(cells: Iterable[str | None], digits: int | Iterable[int] = 2) -> DecimalSign | None:
    """The decimal sign of a column of amounts that usually have so many decimals, of all or of each; None when it could be
    either.

    It is the last sign where both occur, or one before one or two digits, or the other one where there are no decimals
    (``12.500`` dong). ``1.012`` alone may be one euro or a thousand, and ``12,500`` twelve dinars; ``1,012`` euros are
    a thousand.
    """
    votes = {".": 0, ",": 0}
    unclear = False
    for cell, decimals in zip(cells, repeat(digits) if isinstance(digits, int) else digits, strict=False):
        if cell is None:
            continue
        bare, _ = _bare(cell)
        dot, comma = bare.rfind("."), bare.rfind(",")
        if dot >= 0 and comma >= 0:
            votes["." if dot > comma else ","] += 1
        elif max(dot, comma) >= 0:
            sign: DecimalSign = "." if dot >= 0 else ","
            other: DecimalSign = "," if dot >= 0 else "."
            if bare.count(sign) > 1 or (decimals == 0 and _THREE_AFTER_SIGN.match(bare)):
                votes[other] += 1
            elif not _THREE_AFTER_SIGN.match(bare):
                votes[sign] += 1
            elif decimals == 3 and sign == ".":
                votes["."] += 1
            else:
                unclear = unclear or decimals == 3 or sign == "."
    if votes[","] == votes["."] and unclear:
        return None
    return "," if votes[","] > votes["."] else "."


def _bare(text: str) -> tuple[str, bool]:
    """Digits and signs of a cell without currency and blanks, and whether it is negative."""
    text = unicodedata.normalize("NFKC", text).strip().replace("\u2212", "-")
    text = _SPACES.sub("", without_names(text))
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)
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
