"""Read one version of the lake with DuckDB (main environment): one view a table, named ``<layer>_<table>``.

The views read the Parquet files of the version's plan. DuckDB's own ``iceberg_scan`` is as fast on a query, but loading it
costs half a second a process (docs/adr/0012).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jishi import tables
from jishi.lake.object_store import reach
from jishi.lake.plans import Plan
from jishi.lake.reading import LakeVersion

if TYPE_CHECKING:
    import duckdb

_BRONZE = ", ".join(f'"{column}"' for column in tables.BRONZE_EVENTS.columns)
# Imported history, and what the log brought: a record that the forwarder sent twice is known since the log had it first.
_BRONZE_ALL = f"""
create view bronze_all as
select {_BRONZE} from bronze_history
union all
select {_BRONZE} from bronze_events qualify row_number() over (
    partition by shop_id, collector_id, seq order by received_at_ms, log_partition, log_offset
) = 1
"""
_DUCKDB_TYPES = {"TIMESTAMP_NTZ": "TIMESTAMP", "STRING": "VARCHAR", "ARRAY<FLOAT>": "FLOAT[]"}
_OF_ICEBERG = {
    **{"string": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "boolean": "BOOLEAN"},
    **{"date": "DATE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ"},
}


@contextmanager
def open_lake(lake: LakeVersion) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view for every table that is declared or published, and ``bronze_all``: every accepted event once.

    A declared table without rows is an empty view of its columns; a column that was declared later than a file was written is
    null in it.
    """
    import duckdb

    declared = {schema.name: schema for schema in tables.TABLES}
    with duckdb.connect() as connection:
        reach(connection, lake.settings)
        for name in dict.fromkeys((*declared, *lake.tables)):
            connection.execute(f"create view {view_of(name)} as {rows_of(lake, name, declared.get(name))}")
        connection.execute(_BRONZE_ALL)
        yield connection


def add_namespaces(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the tables also be called as Spark and other engines call them: ``silver.events``."""
    for (view,) in connection.execute("select view_name from duckdb_views() where not internal order by 1").fetchall():
        namespace, name = view.split("_", 1)
        if view != "bronze_all":
            connection.execute(f"create schema if not exists {namespace}")
            connection.execute(f"create view {namespace}.{name} as from {view}")


def view_of(table: str) -> str:
    """The view of a table: ``silver_events`` for ``silver/events``."""
    return table.replace("/", "_")


def relation(plan: Plan) -> str:
    """The rows of a plan, which has a file, as a table expression of DuckDB."""
    files = ", ".join(quoted(file.path) for file in plan.files)
    columns = ", ".join(
        f"{column.field_id}: {{name: {quoted(column.name)}, type: '{duckdb_type(column.type)}', default_value: null}}"
        for column in plan.columns
    )
    return f"read_parquet([{files}], schema = map {{{columns}}})"


def duckdb_type(iceberg_type: str) -> str:
    """DuckDB's name of an Iceberg type. Raises KeyError for a type that no table of the lake has."""
    if iceberg_type.startswith("list<"):
        return f"{duckdb_type(iceberg_type[5:-1])}[]"
    return _OF_ICEBERG[iceberg_type]


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def rows_of(lake: LakeVersion, name: str, schema: tables.TableSchema | None) -> str:
    """The query of a table's rows, with all declared columns, or those that the table has."""
    return rows_of_plan(lake.plan(name) if lake.has(name) else None, schema)


def rows_of_plan(plan: Plan | None, schema: tables.TableSchema | None) -> str:
    """The same of the files of a plan; without one the table has no rows."""
    of_plan = {column.name: _null(column.name, duckdb_type(column.type)) for column in plan.columns} if plan else {}
    nulls = of_plan if schema is None else _nulls(schema)
    if plan is None or not plan.files:
        return f"select * from (select {', '.join(nulls.values())}) where false"
    columns = [f'"{column}"' if column in of_plan else null for column, null in nulls.items()]
    return f"select {', '.join(columns)} from {relation(plan)}"


def _nulls(schema: tables.TableSchema) -> dict[str, str]:
    """Each column as a typed null."""
    types = {column: tables.SPARK_TYPES[kind] for column, kind in schema.columns.items()}
    return {column: _null(column, _DUCKDB_TYPES.get(kind, kind)) for column, kind in types.items()}


def _null(column: str, duckdb_type: str) -> str:
    return f'cast(null as {duckdb_type}) as "{column}"'
