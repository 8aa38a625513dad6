"""The table-version record: which snapshot of each table, and which marts, make one cut of the lake.

Iceberg commits a table at a time. What readers open is a row of the SQL table ``table_versions``, which names a snapshot of
every table; a publish is done when its row is there. The rows lie in a SQLite file of their own beside the embedded catalog,
or in the catalog's PostgreSQL. Reading them needs no library besides Python's own, for who asks every second.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jishi.paths import Paths
from jishi.postgresql import pg8000_arguments
from jishi.settings import Settings

WAIT_S = 60  # how long a reader or writer waits for another one's transaction
_TABLES = (
    "CREATE TABLE IF NOT EXISTS table_versions (number BIGINT PRIMARY KEY, created_at TEXT NOT NULL, writer TEXT NOT NULL, "
    "base BIGINT, snapshots TEXT NOT NULL, changes TEXT NOT NULL, marts TEXT)",
    # The publish that is moving branches now, or that died while it did.
    "CREATE TABLE IF NOT EXISTS unfinished_publish (number BIGINT PRIMARY KEY, run TEXT NOT NULL, tables TEXT NOT NULL)",
)
_COLUMNS = "number, created_at, writer, base, snapshots, changes, marts"
_LOCK = 0x6A697368  # PostgreSQL's advisory lock of whoever publishes


class VersionNotFound(LookupError):
    """There is no such table version, or none yet; the message says what to do."""


class TableNotPublished(LookupError):
    """No table version holds the table; the message says how to build it."""


class VersionsUnreachable(ConnectionError):
    """The database of the records does not answer; the message says which."""


class StaleWriter(RuntimeError):
    """Another publish changed what this one is based on; work from the newest version again."""


@dataclass(frozen=True)
class MartsFile:
    """The marts of a version: an immutable DuckDB file below ``Paths.warehouse``, and the version that dbt read."""

    file: str
    sha256: str
    built_from: int


@dataclass(frozen=True)
class TableVersion:
    """One cut of the lake.

    ``snapshots`` is the Iceberg snapshot of each table by its name in ``jishi.tables``; a table without one has no rows yet.
    ``changes`` are the tables that this version replaced rows of, each with the shops concerned, or None where it is not kept
    by shop. ``writer`` is the job with its arguments, ``base`` the version before it.
    """

    number: int
    created_at: datetime
    writer: str
    base: int | None
    snapshots: dict[str, int]
    changes: dict[str, list[str] | None] = field(default_factory=dict)
    marts: MartsFile | None = None

    def snapshot(self, table: str) -> int:
        """Snapshot id of a table. Raises TableNotPublished."""
        if table not in self.snapshots:
            raise TableNotPublished(f"table {table!r} is not in version {self.number} of the lake; run the history DAG")
        return self.snapshots[table]


@dataclass(frozen=True)
class Unfinished:
    """A publish that began to move branches and has no record: its number, its run, and its tables."""

    number: int
    run: str
    tables: list[str]


class Versions:
    """The records of one lake."""

    def __init__(self, database: str, lock_file: Path, settings: Settings) -> None:
        """``database`` is the path of a SQLite file, or a ``postgresql://`` URI."""
        self.database = database
        self._settings = settings
        self._lock_file = lock_file
        self._is_sqlite = not database.startswith("postgresql:")

    @classmethod
    def of(cls, settings: Settings) -> Versions:
        """The records beside the catalog that the settings name."""
        lake = Paths.of(settings).lake
        uri = settings.lake_catalog_uri
        if uri.startswith("postgresql:"):
            return cls(uri, lake / "versions.lock", settings)
        beside = Path(unquote(urlsplit(uri).path[1:])).parent if uri else lake
        return cls(str(beside / "versions.db"), beside / "versions.lock", settings)

    def latest(self) -> TableVersion | None:
        """The newest version, or None before the first publish."""
        versions = self.list(1)
        return versions[0] if versions else None

    def get(self, number: int) -> TableVersion:
        """A version by its number. Raises VersionNotFound."""
        rows = self._query(f"SELECT {_COLUMNS} FROM table_versions WHERE number = ?", number)
        if not rows:
            kept = self._query("SELECT min(number), max(number) FROM table_versions")
            first, last = kept[0] if kept else (None, None)
            reason = "nothing is published yet" if last is None else f"kept are {first} to {last}: jishi lake versions"
            raise VersionNotFound(f"the lake has no version {number}; {reason}")
        return _version(rows[0])

    def as_of(self, instant: datetime) -> TableVersion:
        """The version that readers opened at an instant. Raises VersionNotFound when it is before the oldest one kept."""
        at = _text(instant)
        newest = f"SELECT {_COLUMNS} FROM table_versions WHERE created_at <= ? ORDER BY number DESC LIMIT 1"
        rows = self._query(newest, at)
        if not rows:
            raise VersionNotFound(f"the lake has no version as old as {instant.isoformat()}; see: jishi lake versions")
        return _version(rows[0])

    def list(self, limit: int = 20) -> Sequence[TableVersion]:
        """The newest versions, newest first."""
        rows = self._query(f"SELECT {_COLUMNS} FROM table_versions ORDER BY number DESC LIMIT ?", limit)
        return [_version(row) for row in rows]

    def after(self, number: int) -> Sequence[TableVersion]:
        """Versions that are newer than a number, oldest first."""
        return [_version(r) for r in self._query(f"SELECT {_COLUMNS} FROM table_versions WHERE number > ? ORDER BY 1", number)]

    def first_of_newest_marts(self) -> tuple[TableVersion, bool] | None:
        """The oldest kept version that has the marts of the newest one, and whether it is the oldest of all that are kept: then
        these marts may be older. None where the newest version has no marts.
        """
        newest = "SELECT marts FROM table_versions ORDER BY number DESC LIMIT 1"
        rows = self._query(f"SELECT {_COLUMNS} FROM table_versions WHERE marts = ({newest}) ORDER BY number LIMIT 1")
        if not rows:
            return None
        version = _version(rows[0])
        return version, not self._query("SELECT number FROM table_versions WHERE number < ? LIMIT 1", version.number)

    # --- the writer's side: jishi.lake.publishing ---

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One publish at a time moves branches and records. The lock ends with the process that holds it."""
        if self._is_sqlite:
            self._lock_file.parent.mkdir(parents=True, exist_ok=True)
            with self._lock_file.open("w", encoding="utf-8") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                yield
            return
        with closing(self._connect()) as connection:
            connection.cursor().execute(f"SELECT pg_advisory_lock({_LOCK})")
            yield

    def begin(self, unfinished: Unfinished) -> None:
        """Note that branches are about to move, so that whoever comes after a crash can move them back."""
        with self._transaction() as cursor:
            cursor.execute(self._sql("DELETE FROM unfinished_publish"))
            values = (unfinished.number, unfinished.run, json.dumps(unfinished.tables))
            cursor.execute(self._sql("INSERT INTO unfinished_publish (number, run, tables) VALUES (?, ?, ?)"), values)

    def unfinished(self) -> Unfinished | None:
        """The publish that died while it moved branches, if one did. Ask under the lock."""
        rows = self._query("SELECT number, run, tables FROM unfinished_publish")
        return Unfinished(rows[0][0], rows[0][1], json.loads(rows[0][2])) if rows else None

    def settle(self) -> None:
        """Forget the unfinished publish: its branches are where they were."""
        with self._transaction() as cursor:
            cursor.execute(self._sql("DELETE FROM unfinished_publish"))

    def commit(self, version: TableVersion) -> None:
        """Add a version and end its publish, both or neither. Raises StaleWriter when its number is taken."""
        row = (
            *(version.number, _text(version.created_at), version.writer, version.base),
            *(json.dumps(version.snapshots, sort_keys=True), json.dumps(version.changes, sort_keys=True)),
            json.dumps(asdict(version.marts)) if version.marts else None,
        )
        with self._transaction() as cursor:
            cursor.execute("SELECT max(number) FROM table_versions")
            if cursor.fetchone()[0] != version.base:
                raise StaleWriter(f"version {version.number} is not the one after the newest; another publish came first")
            cursor.execute(self._sql(f"INSERT INTO table_versions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"), row)
            cursor.execute("DELETE FROM unfinished_publish")

    def drop(self, before: int) -> None:
        """Forget the versions before a number."""
        with self._transaction() as cursor:
            cursor.execute(self._sql("DELETE FROM table_versions WHERE number < ?"), (before,))

    def _query(self, sql: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
        if self._is_sqlite and not Path(self.database).exists():
            return []
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(self._sql(sql), parameters)
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # the file was made this moment
                    return []
                raise VersionsUnreachable(f"{self.database}: {error}") from error
            return [tuple(row) for row in cursor.fetchall()]

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        if self._is_sqlite:
            Path(self.database).parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            if self._is_sqlite:
                cursor.execute("BEGIN IMMEDIATE")
            for statement in _TABLES:
                cursor.execute(statement)
            yield cursor
            connection.commit()

    def _connect(self) -> Any:
        if self._is_sqlite:
            try:
                return sqlite3.connect(self.database, timeout=WAIT_S, isolation_level=None)
            except sqlite3.OperationalError as error:
                raise VersionsUnreachable(f"{self.database}: {error}") from error
        import pg8000.dbapi

        uri = urlsplit(self.database)
        try:
            connection = pg8000.dbapi.connect(**pg8000_arguments(uri, self._settings))
        except (pg8000.dbapi.InterfaceError, pg8000.dbapi.DatabaseError, ssl.SSLError) as error:
            raise VersionsUnreachable(f"PostgreSQL at {uri.hostname}:{uri.port or 5432}{uri.path}: {error}") from error
        cursor = connection.cursor()
        for statement in _TABLES:
            cursor.execute(statement)
        connection.commit()
        return connection

    def _sql(self, sql: str) -> str:
        return sql if self._is_sqlite else sql.replace("?", "%s")


def overlap(mine: Mapping[str, list[str] | None], other: Mapping[str, list[str] | None]) -> dict[str, list[str] | None]:
    """What two publishes both changed: tables with the shops in both; None where one of them changed the table whole."""
    both: dict[str, list[str] | None] = {}
    for table in mine.keys() & other.keys():
        left, right = mine[table], other[table]
        if left is None or right is None:
            both[table] = None
        elif set(left) & set(right):
            both[table] = sorted(set(left) & set(right))
    return both


def _text(instant: datetime) -> str:
    """A UTC instant as text that sorts like time."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _version(row: tuple[Any, ...]) -> TableVersion:
    number, created_at, writer, base, snapshots, changes, marts = row
    return TableVersion(
        number=number,
        created_at=datetime.fromisoformat(created_at),
        writer=writer,
        base=base,
        snapshots=json.loads(snapshots),
        changes=json.loads(changes),
        marts=MartsFile(**json.loads(marts)) if marts else None,
    )
