"""Rebuild the online store from history: the newest values of the backfill go through the writer's own sink.

What the store holds already stays where it is newer, and running values are merged, so this may run at any time, beside the
stream or before it, and as often as one likes. A second writer may have read a row just before it was merged here and written
it just after: a pass is repeated until one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from feature_repo.monotonic import epoch_us
from feature_repo.store import apply, open_store
from feature_repo.writer import FeatureSink, WriterProgress
from jishi.features import ENTITY_KEYS, Feature, views
from jishi.features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, LOG_OFFSET, VALID_UNTIL
from jishi.features.lake_tables import view_table
from jishi.features.message import FeatureRow, Views
from jishi.lake import TableNotPublished
from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings

ROWS_AT_ONCE = 500
_PASSES = 3


@dataclass(frozen=True)
class Bootstrapped:
    """One view: keys that have a value at the instant, rows that became the store's, and rows that it knew already."""

    view: str
    keys: int
    written: int
    known: int


def bootstrap(
    settings: Settings, paths: Paths, as_of: datetime, definitions: Views | None = None, report: Callable[[str], None] = print
) -> list[Bootstrapped]:
    """Bring the values of the lake tables ``features/<view>`` that hold at ``as_of`` into the online store.

    Raises TableNotPublished when a table is missing: ``python -m spark_jobs features`` makes it.
    """
    wanted = definitions if definitions is not None else views()
    lake = open_version(settings)
    for view, members in wanted.items():
        if not lake.has(name := view_table(view, members).name):
            raise TableNotPublished(f"{name} was not backfilled; run: python -m spark_jobs features")
    apply(settings, paths, lake)
    progress = WriterProgress()
    sink = FeatureSink(open_store(settings, paths), paths.features, progress, wanted)
    done = []
    with open_lake(lake) as connection:
        for view, members in wanted.items():
            keys = written = 0
            for number in range(_PASSES):
                before, keys = progress.written, 0
                for batch in _rows(connection, view, members, as_of):
                    sink.put(view, batch)
                    keys += len(batch)
                written = progress.written - before if number == 0 else written
                if progress.written == before:
                    break
            done.append(Bootstrapped(view, keys, written, keys - written))
            report(f"{view}: {keys} keys, {written} written, {keys - written} known already")
    return done


def _rows(
    connection: duckdb.DuckDBPyConnection, view: str, members: tuple[Feature, ...], as_of: datetime
) -> Iterator[list[FeatureRow]]:
    """The newest row of each key of a view at an instant, as far as it still holds, some at once."""
    keys = ["shop_id", *ENTITY_KEYS[members[0].entity]]
    at = as_of.astimezone(UTC).replace(tzinfo=None)
    at_ms = epoch_us(as_of) // 1000
    selected = connection.execute(
        f"SELECT * FROM {view_of(view_table(view, members).name)} WHERE {EVENT_TIMESTAMP} <= ? "
        f"AND ({VALID_UNTIL} IS NULL OR {VALID_UNTIL} > ?) "
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY {EVENT_TIMESTAMP} DESC) = 1",
        [at, at_ms],
    )
    names = [column[0] for column in selected.description or []]
    while batch := selected.fetchmany(ROWS_AT_ONCE):
        yield [_row(view, members, keys, dict(zip(names, row, strict=True))) for row in batch]


def _row(view: str, members: tuple[Feature, ...], keys: list[str], values: dict[str, Any]) -> FeatureRow:
    known = values[EVENT_TIMESTAMP].replace(tzinfo=UTC)
    columns = {name: values[name] for name in (*keys, VALID_UNTIL, *(member.name for member in members))}
    columns |= {EVENT_TIMESTAMP: known, CREATED_TIMESTAMP: known, LOG_OFFSET: 0}
    return FeatureRow(view, epoch_us(known) // 1000, columns)
