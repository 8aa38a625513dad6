"""How far a number of a week lies from another week's: in percent, or in percentage points where it is a share itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from dashboard.portal.columns import Column
from dashboard.portal.words import Language

_TENTH = Decimal("0.1")
_POINTS = {"zh": "个百分点", "en": "pp"}


@dataclass(frozen=True)
class Change:
    """``amount`` is in percent of the other week's number, or in percentage points with ``is_points``."""

    amount: Decimal
    is_points: bool

    def shown(self, language: Language) -> str:
        """With its sign, to a tenth; what is smaller and not nothing keeps its sign and says that it is less than a tenth.

        >>> Change(Decimal("12.34"), False).shown("en"), Change(Decimal("-0.02"), True).shown("zh")
        ('+12.3%', '−<0.1 个百分点')
        """
        size, sign = abs(self.amount), "−" if self.amount < 0 else "+"
        tenths = size.quantize(_TENTH, ROUND_HALF_EVEN)
        text = f"{sign if size else ''}{'<0.1' if size and not tenths else f'{tenths:,}'}"
        return f"{text} {_POINTS[language]}" if self.is_points else f"{text}%"


def change_of(column: Column, value: Any, other: Any) -> Change | None:
    """The change from ``other`` to ``value``, in the unit of the column; None where it is unknown or there is no base.

    A share changes by percentage points: from 2 % to 3 % is +1 point, and not half more. Anything else changes in percent of
    the other number, which has to be positive: of nothing, and of a week with more refunds than sales, nothing is a percentage.
    Money is compared in the minor units that the marts have, before it is rounded for people.
    """
    if value is None or other is None:
        return None
    now, then = Decimal(str(value)), Decimal(str(other))
    if column.unit == "share":
        return Change(100 * (now - then), is_points=True)
    return Change(100 * (now - then) / then, is_points=False) if then > 0 else None
