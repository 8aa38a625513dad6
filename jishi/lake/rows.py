"""Which rows of a table a publish replaces, for every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression


@dataclass(frozen=True)
class Rows:
    """Which rows of a table: those with one of the values in each of the columns; all rows without any column."""

    values: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @classmethod
    def all(cls) -> Rows:
        """Every row."""
        return cls()

    @classmethod
    def of(cls, **values: Sequence[Any]) -> Rows:
        """Rows with one of these values in each column: ``Rows.of(shop_id=["a"], batch=["history"])``."""
        return cls(tuple((column, tuple(some)) for column, some in sorted(values.items())))

    @property
    def shops(self) -> list[str] | None:
        """The shops that the rows belong to; None where they are not chosen by shop."""
        return next((sorted(some) for column, some in self.values if column == "shop_id"), None)

    def expression(self) -> BooleanExpression:
        """The same for pyiceberg."""
        from pyiceberg.expressions import AlwaysTrue, And, In

        condition: BooleanExpression = AlwaysTrue()
        for column, some in self.values:
            condition = And(condition, In(column, some))
        return condition
