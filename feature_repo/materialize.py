"""Daily features → online store, with a count of its own: Feast calls a materialisation that wrote nothing a success."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime

from feature_repo.store import apply, online_store_of, open_store, registry_lock
from jishi.features import ENTITY_COLUMN
from jishi.features.columns import EVENT_TIMESTAMP
from jishi.features.daily import DAILY, DailyTable
from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import LakeVersion, open_version
from jishi.paths import Paths
from jishi.settings import Settings

_START = datetime(1970, 1, 2, tzinfo=UTC)


class MaterializationFailed(RuntimeError):
    """The online store does not hold what the daily tables say."""


@dataclass(frozen=True)
class Materialized:
    """One view: keys with a row at or before the instant, rows written, and rows refused because the store had them already."""

    view: str
    keys: int
    written: int
    refused: int


def materialize(
    settings: Settings, paths: Paths, as_of: datetime, tables: tuple[DailyTable, ...] = DAILY
) -> list[Materialized]:
    """Bring the newest row of each key at or before ``as_of`` into the online store.

    Rows of the same instant that an earlier version of the lake had are replaced. A table without such a row, as that of a
    platform's first day, gives 0 keys. Raises MaterializationFailed when not every key was written or already there;
    jishi.lake.TableNotPublished when a table is missing.
    """
    lake = open_version(settings)
    expected = [(table, _count_keys(lake, table, as_of)) for table in tables]
    apply(settings, paths, lake)
    done = []
    with registry_lock(paths):
        store = open_store(settings, paths)
        online = online_store_of(store)
        online.lake_version = lake.record.number if lake.record is not None else None
        for table, keys in expected:
            if keys == 0:
                done.append(Materialized(table.view, 0, 0, 0))
                continue
            before = (online.counts.written, online.counts.refused)
            with contextlib.redirect_stdout(io.StringIO()):  # Feast prints a progress bar
                store.materialize(_START, as_of, feature_views=[table.view])
            written = online.counts.written - before[0]
            refused = online.counts.refused - before[1]
            held = online.count_keys(store.config, store.get_feature_view(table.view))
            if written + refused != keys or held < keys:
                raise MaterializationFailed(
                    f"{table.name} has {keys} keys up to {as_of.isoformat()}, but {written} were written, {refused} were there "
                    f"already, and the online store holds {held}"
                )
            done.append(Materialized(table.view, keys, written, refused))
    return done


def _count_keys(lake: LakeVersion, table: DailyTable, as_of: datetime) -> int:
    lake.require(table.name)
    if not lake.files(table.name):
        return 0
    needed = {*table.columns, EVENT_TIMESTAMP, "shop_id", ENTITY_COLUMN[table.entity]}
    with open_lake(lake) as connection:
        missing = sorted(needed - set(connection.table(view_of(table.name)).columns))
        if missing:
            columns = ", ".join(missing)
            raise MaterializationFailed(f"{table.name} lacks the columns {columns} that jishi/features/daily.py declares")
        counted = connection.execute(
            f"SELECT count(*) FROM (SELECT DISTINCT shop_id, {ENTITY_COLUMN[table.entity]} "
            f"FROM {view_of(table.name)} WHERE {EVENT_TIMESTAMP} <= ?)",
            [as_of.astimezone(UTC).replace(tzinfo=None)],
        ).fetchone()
    return int(counted[0]) if counted else 0
