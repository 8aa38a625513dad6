"""Checks on tables before they are published: DuckDB reads the files that a publish has written to its branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jishi.held_back import GateFinding
from jishi.lake.object_store import reach
from jishi.lake.rows import Rows
from jishi.tables import SPARK_TYPES, TableSchema
from spark_jobs.publication import Publication

if TYPE_CHECKING:
    import duckdb

_DUCKDB_TYPES = {"TIMESTAMP_NTZ": "TIMESTAMP", "STRING": "VARCHAR", "ARRAY<FLOAT>": "FLOAT[]"}


class AuditFailed(RuntimeError):
    """A table is not fit to be published; the message names check, table and sample rows; ``findings`` are its parts."""

    def __init__(self, message: str, findings: Sequence[GateFinding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


@contextmanager
def opened(publication: Publication, views: Mapping[str, tuple[TableSchema, Rows]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view for each of some tables, as the publish has them now; a view of no rows where there are none."""
    import duckdb

    with duckdb.connect() as connection:
        reach(connection, publication.settings)
        for view, (schema, where) in views.items():
            files = [file.path for file in publication.files(schema, where)]
            nulls = {c: f'cast(null as {_duckdb_type(t)}) as "{c}"' for c, t in schema.columns.items()}
            if not files:
                connection.execute(f"create view {view} as select {', '.join(nulls.values())} where false")
                continue
            rows = connection.read_parquet(files, hive_partitioning=False, union_by_name=True)
            columns = [f'"{name}"' if name in rows.columns else null for name, null in nulls.items()]
            rows.filter(where.sql()).select(", ".join(columns)).create_view(view)
        yield connection


def audit_key(connection: duckdb.DuckDBPyConnection, schema: TableSchema) -> int:
    """Rows of the view of a table (slashes as underscores). Raises AuditFailed when a key is repeated or null."""
    view, key = view_of(schema), ", ".join(schema.key)
    total, distinct = connection.execute(
        f"select count(*), (select count(*) from (select distinct {key} from {view})) from {view}"
    ).fetchall()[0]
    nulls = f"select count(*) from {view} where {' or '.join(f'{c} is null' for c in schema.key)}"
    [(without_key,)] = connection.execute(nulls).fetchall()
    if total != distinct or without_key:
        sample = connection.execute(
            f"select {key}, count(*) n from {view} group by all having n > 1 or ({key.split(', ')[-1]} is null) limit 3"
        )
        raise AuditFailed(
            f"{schema.name}: key ({key}) has {total - distinct} repeats and {without_key} nulls, e.g. {sample.fetchall()}"
        )
    return int(total)


def view_of(schema: TableSchema) -> str:
    """Name of a table's view."""
    return schema.name.replace("/", "_")


def _duckdb_type(kind: str) -> str:
    return _DUCKDB_TYPES.get(SPARK_TYPES[kind], SPARK_TYPES[kind])
