"""Live events of a test's lake, as Flink would have appended them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from jishi.arrow_tables import to_arrow
from jishi.lake.table_creation import create_table, create_tables
from jishi.settings import Settings
from jishi.tables import BRONZE_LIVE


def append_live(settings: Settings, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows; columns that a row does not name are null, ``received_at`` follows ``received_at_ms``."""
    blank = dict.fromkeys(BRONZE_LIVE.columns)
    complete = [blank | row | {"received_at": _instant(row["received_at_ms"])} for row in rows]
    create_table(create_tables(settings, []), BRONZE_LIVE).append(to_arrow(BRONZE_LIVE, complete))


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)
