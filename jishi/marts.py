"""Read the marts of a version: one DuckDB file that no build changes any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jishi.lake import TableNotPublished
from jishi.lake.reading import LakeVersion

if TYPE_CHECKING:
    import duckdb

# Marts that are lake tables too: the daily features.
EXPORTED = {"person_daily": "features/person_daily", "item_daily": "features/item_daily"}


def open_marts(lake: LakeVersion) -> duckdb.DuckDBPyConnection:
    """The marts of a version, read-only. Raises TableNotPublished with the command that makes them."""
    import duckdb

    if lake.marts is None:
        raise TableNotPublished("no marts are published yet; run: python -m ops.marts build")
    return duckdb.connect(str(lake.marts), read_only=True)


def mart_rows(lake: LakeVersion, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    """Rows of a query on the marts of a version, by column name."""
    with open_marts(lake) as connection:
        cursor = connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
