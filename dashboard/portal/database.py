"""The portal's own SQLite file: people, their sessions and links, what they saved, and the audit log."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WAIT_S = 10  # how long a writer waits for another one
_SCHEMA = """
create table if not exists people (
    person_id integer primary key, login text not null unique, name text not null, password_hash text,
    created_at integer not null
);
create table if not exists memberships (
    person_id integer not null references people on delete cascade, shop_id text not null, role text not null,
    primary key (person_id, shop_id)
);
create table if not exists sessions (
    token_sha256 text primary key, person_id integer not null references people on delete cascade,
    created_at integer not null, seen_at integer not null
);
create table if not exists links (
    token_sha256 text primary key, login text not null, shop_id text, role text, expires_at integer not null
);
create table if not exists failed_logins (subject text not null, at integer not null);
create index if not exists failed_logins_by_subject on failed_logins (subject, at);
create table if not exists audit_log (
    entry_id integer primary key, at integer not null, shop_id text, login text not null, action text not null,
    detail text not null
);
create index if not exists audit_log_by_shop on audit_log (shop_id, entry_id);
create table if not exists receivers (
    receiver_id integer primary key, shop_id text not null, kind text not null, address text not null, language text not null,
    gets_digests integer not null, gets_alerts integer not null, unique (shop_id, kind, address)
);
create table if not exists deliveries (
    shop_id text not null, subject text not null, receiver_id integer not null references receivers on delete cascade,
    at integer not null, failure text, is_final integer not null, primary key (shop_id, subject, receiver_id)
);
create table if not exists alert_rules (
    rule_id integer primary key autoincrement, shop_id text not null, metric text not null, direction text not null,
    size real not null,
    quiet_from integer, quiet_until integer, cool_down_days integer not null, snoozed_until text, created_at integer not null
);
create table if not exists alerts (
    alert_id integer primary key, rule_id integer not null, shop_id text not null, day text not null, metric text not null,
    value real not null, low real not null, high real not null, at integer not null, is_held integer not null,
    until_hour integer, unique (rule_id, day)
);
create table if not exists saved_segments (
    segment_id integer primary key, shop_id text not null, name text not null, rule text not null, login text not null,
    created_at integer not null, unique (shop_id, name)
);
create table if not exists boards (
    board_id integer primary key, shop_id text not null, login text not null, title text not null, is_shared integer not null,
    charts text not null, created_at integer not null
);
"""
# Columns that a file of an older version lacks: table, column, type.
_ADDED = (("alerts", "until_hour", "integer"),)


class PortalDatabase:
    """Transactions on the file; it is made, readable by its owner only, when it is not there."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT, 0o600))
        with closing(self._connect()) as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(_SCHEMA)
            connection.execute("begin immediate")  # two processes may open an older file at once
            for table, column, kind in _ADDED:
                if column not in {row["name"] for row in connection.execute(f"pragma table_info({table})")}:
                    connection.execute(f"alter table {table} add column {column} {kind}")
            connection.execute("commit")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block's statements, or none when it raises."""
        with closing(self._connect()) as connection:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with; it waits for no writer."""
        with closing(self._connect()) as connection:
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=WAIT_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma foreign_keys = on")
        return connection


def new_token() -> str:
    """256 random bits as text that fits into an address."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept of a token: there is nothing to guess in 256 random bits, so that a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
