"""Read the published marts: one DuckDB file, replaced as a whole by every build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jishi.lake import TableNotPublished
from jishi.paths import Paths

if TYPE_CHECKING:
    import duckdb

# Marts that are lake tables too: the daily features.
EXPORTED = {"person_daily": "features/person_daily", "item_daily": "features/item_daily"}


def open_marts(paths: Paths) -> duckdb.DuckDBPyConnection:
    """The published marts, read-only. Raises TableNotPublished with the command that makes them."""
    import duckdb

    if not paths.marts.exists():
        raise TableNotPublished(f"{paths.marts} is not there; run: python -m ops.marts build")
    return duckdb.connect(str(paths.marts), read_only=True)


def mart_rows(paths: Paths, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    """Rows of a query on the published marts, by column name."""
    with open_marts(paths) as connection:
        cursor = connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
