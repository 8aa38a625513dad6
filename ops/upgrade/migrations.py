"""What brings a part's state from one format to the next and back; in the order in which an upgrade runs them.

Each may be cut off anywhere and is run again from its start; readers see the state before or after it, whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jishi.lake import migration as lake_in_folders
from jishi.lake.going_back import go_back
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.settings import Settings
from ops.formats import FormatChange

Say = Callable[[str], None]


class MigrationFailed(RuntimeError):
    """What came out of a migration is not what went in; the message says what differs."""


@dataclass(frozen=True)
class Migration:
    """Brings ``part`` from format ``to - 1`` to ``to``. ``stops`` are the parts that must not run meanwhile.

    ``check`` raises MigrationFailed. ``backward`` gets what was noted before ``forward`` began.
    """

    part: str
    to: int
    what: str
    stops: tuple[str, ...]
    forward: Callable[[Settings, Say], None]
    check: Callable[[Settings], None]
    backward: Callable[[Settings, FormatChange, Say], None]


def _lake_into_tables(settings: Settings, say: Say) -> None:
    done = lake_in_folders.migrate(settings)
    for table, rows in done.rows.items():
        say(f"{table}: {rows:,} rows")
    for batch, shops in done.batches.items():
        say(f"to build again: python -m spark_jobs silver --batch {batch} ({', '.join(shops)})")
    say("then python -m ops.marts build, python -m feature_repo daily; the folders in var/lake/bronze may go when all is well")


def _history_is_whole(settings: Settings) -> None:
    before = lake_in_folders.rows_in_folders(settings)
    if not before:
        return
    with open_lake(open_version(settings)) as lake:
        after = dict(lake.execute("select shop_id, count(*) from bronze_history group by all").fetchall())
    if wrong := {shop_id: rows for shop_id, rows in before.items() if after.get(shop_id, 0) != rows}:
        shops = ", ".join(f"{shop_id} {after.get(shop_id, 0)} of {rows} rows" for shop_id, rows in sorted(wrong.items()))
        raise MigrationFailed(f"bronze.history is not what lies in the folders: {shops}")


def _lake_back(settings: Settings, change: FormatChange, say: Say) -> None:
    version = go_back(settings, change.version, lake_in_folders.WRITER)
    if version is not None:
        tables = ", ".join(sorted(version.changes))
        say(f"the lake's version {version.number} has {tables} as version {change.version} had them")


MIGRATIONS = (
    Migration(
        "lake",
        2,
        "bronze in folders into Iceberg tables",
        ("flink",),
        _lake_into_tables,
        _history_is_whole,
        _lake_back,
    ),
)
