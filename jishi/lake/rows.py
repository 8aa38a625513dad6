"""Which rows of a table a publish replaces, for every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression


@dataclass(frozen=True)
class Rows:
    """Which rows of a table: those with one of the values in each of the columns; all rows without any column.

    ``between`` is a column of instants and a half-open interval of UTC: ``("received_at", start, end)``.
    """

    values: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    between: tuple[str, datetime, datetime] | None = None

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
        from pyiceberg.expressions import AlwaysTrue, And, GreaterThanOrEqual, In, LessThan

        condition: BooleanExpression = AlwaysTrue()
        for column, some in self.values:
            condition = And(condition, In(column, some))  # type: ignore[call-arg]
        if self.between is not None:
            column, start, end = self.between
            condition = And(condition, GreaterThanOrEqual(column, plain(start)))  # type: ignore[call-arg]
            condition = And(condition, LessThan(column, plain(end)))  # type: ignore[call-arg]
        return condition

    def sql(self) -> str:
        """The same for Spark SQL and DuckDB."""
        conditions = [f"{column} IN ({', '.join(map(_literal, some))})" for column, some in self.values]
        if self.between is not None:
            column, start, end = self.between
            conditions += [f"{column} >= '{plain(start)}'", f"{column} < '{plain(end)}'"]
        return " AND ".join(conditions) or "true"


def plain(instant: datetime) -> str:
    """An instant as the text of a UTC timestamp without zone."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _literal(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'" if isinstance(value, str) else str(value)
