"""Bring the decision log into the lake: new records to bronze, the days that they and newer events concern to silver.

Everything is one publish: a reader sees records, answers and outcomes of one moment, and what died published nothing. All shops
are worked up together, by DuckDB in this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import duckdb
import pyarrow as pa

from decision_log import queries
from decision_log.audit import audit
from decision_log.days import EVENTS, EventsGone, changed_answers, days_of_changed
from decision_log.landing import LandedFiles, land
from decision_log.topic import Landed, LogRecord
from jishi.arrow_tables import arrow_schema
from jishi.lake.publishing import Replacement, field_ids, publish
from jishi.lake.query import open_lake, quoted
from jishi.lake.reading import LakeVersion
from jishi.lake.rows import Rows, plain
from jishi.lake.versions import StaleWriter, TableVersion
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import BRONZE_DECISIONS, DECISIONS, SILVER_DECISIONS, SILVER_DECISIONS_QUARANTINE, SILVER_EVENTS, TableSchema

BRONZE_KEPT = timedelta(days=30)  # so long a day can be built anew: the topic keeps a week, what pages say comes within days
SILVER_KEPT = timedelta(days=180)
_CLOCK_SLACK = timedelta(hours=1)
_START = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 100_000


class RecordSource(Protocol):
    """Where records come from."""

    @property
    def lost(self) -> int:
        """Records that were gone before they were read."""

    def records_after(self, landed: Mapping[int, Landed]) -> Iterable[list[LogRecord]]:
        """Those after the last one of each partition that has landed."""


@dataclass
class DecisionsBuilt:
    """What a run did: records that landed and that the log had lost before, days built, places and records kept out."""

    landed: int = 0
    lost: int = 0
    days: list[date] = field(default_factory=list)
    places: int = 0
    kept_out: int = 0
    why_all: str | None = None  # every day was built anew, and why
    version: int | None = None


def build_decisions(settings: Settings, log: RecordSource | None, now: datetime) -> DecisionsBuilt:
    """Land what the log has and build the days that it concerns; without a log only what newer events concern.

    Raises DaysUnfit, StaleWriter and what the log raises; then nothing was published.
    """
    paths = Paths.of(settings)
    paths.lake.mkdir(parents=True, exist_ok=True)
    built = DecisionsBuilt()
    with TemporaryDirectory(prefix="decisions-", dir=paths.lake) as folder:
        base_of: list[TableVersion | None] = []

        def build(base: TableVersion | None) -> Sequence[Replacement]:
            nonlocal built
            base_of[:] = [base]
            work = _Build(settings, base, Path(folder) / str(0 if base is None else base.number), now)
            replacements = work.replacements(log)
            built = work.built
            if not replacements:
                raise _NothingToDo
            return replacements

        def same_events(newest: TableVersion | None) -> None:
            """The next build compares with the events that the published version names: they have to be those read here."""
            [base] = base_of
            if newest is not None and newest.snapshots.get(SILVER_EVENTS.name) != _snapshot(base, SILVER_EVENTS):
                raise StaleWriter("silver/events was published meanwhile")

        try:
            built.version = publish(settings, "decision_log", build, check=same_events).number
        except _NothingToDo:
            return built
    return built


class _NothingToDo(Exception):
    """No error: it ends a publish that has nothing to write."""


def _snapshot(version: TableVersion | None, schema: TableSchema) -> int | None:
    return None if version is None else version.snapshots.get(schema.name)


class _Build:
    """One attempt, on one version."""

    def __init__(self, settings: Settings, base: TableVersion | None, folder: Path, now: datetime) -> None:
        self.settings, self.base, self.folder, self.now = settings, base, folder, now
        self.built = DecisionsBuilt()
        self.oldest = _midnight(now - BRONZE_KEPT)  # a day is built from all of its records or not at all

    def replacements(self, log: RecordSource | None) -> list[Replacement]:
        """What the publish writes; none when nothing is new."""
        with open_lake(LakeVersion(self.settings, self.base)) as connection:
            new = self._land(connection, log)
            self._open(connection, new)
            days = sorted({*new, *self._days_of_events(connection)})
            self.built.days = days
            replaced = [*self._appended(new), *(self._built_days(connection, days) if days else [])]
            return replaced and [*self._expired(connection), *replaced]

    def _land(self, connection: duckdb.DuckDBPyConnection, log: RecordSource | None) -> dict[date, Path]:
        if log is None:
            return {}
        last = connection.execute(
            "select log_partition, arg_max((log_offset, epoch_ms(logged_at)), (landed_at, log_offset)) "
            "from bronze_decisions group by 1"
        ).fetchall()
        landed = {partition: Landed(offset, at_ms) for partition, (offset, at_ms) in last}
        files = self._files("bronze", BRONZE_DECISIONS)
        new = land(log.records_after(landed), files, self.now)
        self.built.landed, self.built.lost = files.records, log.lost
        return new

    def _open(self, connection: duckdb.DuckDBPyConnection, new: Mapping[date, Path]) -> None:
        """The views that the queries read."""
        landed = f"select * from bronze_decisions where logged_at >= '{plain(self.oldest)}'"
        if new:
            files = ", ".join(quoted(str(file)) for file in new.values())
            columns = ", ".join(BRONZE_DECISIONS.columns)
            landed = f"{landed} union all select {columns} from read_parquet([{files}], hive_partitioning = false)"
        connection.execute(f"create view landed as {landed}")
        connection.execute("create temp table shops (shop_id varchar)")
        shop_ids = sorted(Shops.load(Paths.of(self.settings).shops_file).shops)
        connection.execute("insert into shops select unnest(cast($1 as varchar[]))", [shop_ids])

    def _days_of_events(self, connection: duckdb.DuckDBPyConnection) -> list[date]:
        if self.base is None:
            return []
        try:
            changed_answers(connection, self.settings, self.base)
        except EventsGone as error:
            every = connection.execute("select distinct cast(logged_at as date) from landed").fetchall()
            self.built.why_all = str(error)
            return [day for (day,) in every]
        return days_of_changed(connection)

    def _built_days(self, connection: duckdb.DuckDBPyConnection, days: list[date]) -> list[Replacement]:
        first = datetime.combine(days[0], time(), UTC) - _CLOCK_SLACK
        rows = f"(select * from silver_events where received_at >= '{plain(first)}')"
        connection.execute(f"create view recommendation_events as {EVENTS.format(rows=rows)}")
        connection.execute("create temp table days as select unnest(cast($1 as date[])) as day", [days])
        for statement in (queries.READ, queries.JUDGED, queries.REPEATED, *queries.OUTCOMES.split(";")):
            connection.execute(statement)
        replacements = []
        for schema, query in ((SILVER_DECISIONS, queries.PLACES), (SILVER_DECISIONS_QUARANTINE, queries.QUARANTINE)):
            files = self._files(schema.name, schema)
            for day in days:
                for batch in connection.execute(query, {"day": day}).to_arrow_reader(_AT_ONCE):
                    files.write(day, pa.Table.from_batches([batch]).cast(arrow_schema(schema)))
            written = files.close()
            for run in _runs(days):
                replacements.append(Replacement(schema, _between(run), files=[written[day] for day in run if day in written]))
            if schema is SILVER_DECISIONS:
                self.built.places, answers = files.records, written
            else:
                self.built.kept_out, others = files.records, written
        audit(connection, days, answers, others)
        return replacements

    def _appended(self, new: Mapping[date, Path]) -> list[Replacement]:
        """The new records; they take no other row's place."""
        none = Rows(between=("landed_at", self.now, self.now))
        return [Replacement(BRONZE_DECISIONS, none, files=list(new.values()))] if new else []

    def _expired(self, connection: duckdb.DuckDBPyConnection) -> list[Replacement]:
        """Whole days that are kept no longer, where there are any."""
        gone = []
        for schema, kept in zip(DECISIONS, (BRONZE_KEPT, SILVER_KEPT, BRONZE_KEPT), strict=True):
            cut = _midnight(self.now - kept)
            view = schema.name.replace("/", "_")
            [(oldest,)] = connection.execute(f"select min(logged_at) from {view}").fetchall()
            if oldest is not None and oldest.replace(tzinfo=UTC) < cut:
                gone.append(Replacement(schema, Rows(between=("logged_at", _START, cut))))
        return gone

    def _files(self, name: str, schema: TableSchema) -> LandedFiles:
        return LandedFiles(self.folder / name.replace("/", "_"), schema, lambda: field_ids(self.settings, schema))


def _midnight(instant: datetime) -> datetime:
    return datetime.combine(instant.astimezone(UTC).date(), time(), UTC)


def _runs(days: Sequence[date]) -> list[list[date]]:
    """Days that follow each other together: each run is one commit."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _between(run: Sequence[date]) -> Rows:
    first, last = (datetime.combine(day, time(), UTC) for day in (run[0], run[-1]))
    return Rows(between=("logged_at", first, last + timedelta(days=1)))
