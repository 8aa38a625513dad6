"""Read one version of the lake with DuckDB (main environment): one view a table, named ``<layer>_<table>``.

The views read the Parquet files of the version's plan. DuckDB's own ``iceberg_scan`` is as fast on a query, but loading it
costs half a second a process (docs/adr/0012).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jishi import tables
from jishi.lake.plans import Plan
from jishi.lake.reading import LakeVersion

if TYPE_CHECKING:
    import duckdb

QUERYABLE = (
    *(tables.BRONZE_EVENTS, tables.BRONZE_REPAIRS, *tables.SILVER),
    *(*tables.RECOMMENDATIONS, *tables.BEFORE_CUT.values(), tables.ONLINE_PARITY),
)
_DUCKDB_TYPES = {"TIMESTAMP_NTZ": "TIMESTAMP", "STRING": "VARCHAR", "ARRAY<FLOAT>": "FLOAT[]"}
_OF_ICEBERG = {
    **{"string": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "boolean": "BOOLEAN"},
    **{"date": "DATE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ"},
}


@contextmanager
def open_lake(lake: LakeVersion) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view for every table that is declared or published.

    A declared table without rows is an empty view of its columns; a column that was declared later than a file was written is
    null in it.
    """
    import duckdb

    declared = {schema.name: schema for schema in QUERYABLE}
    with duckdb.connect() as connection:
        for name in dict.fromkeys((*declared, *lake.tables)):
            sql = _select(connection, lake, name, declared.get(name))
            if sql is not None:
                connection.execute(f"create view {view_of(name)} as {sql}")
        yield connection


def view_of(table: str) -> str:
    """The view of a table: ``silver_events`` for ``silver/events``."""
    return table.replace("/", "_")


def relation(plan: Plan) -> str:
    """The rows of a plan, which has a file, as a table expression of DuckDB."""
    files = ", ".join(quoted(file.path) for file in plan.files)
    if not plan.columns:  # a table in folders
        return f"read_parquet([{files}], hive_partitioning = false, union_by_name = true)"
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


def _select(
    connection: duckdb.DuckDBPyConnection, lake: LakeVersion, name: str, schema: tables.TableSchema | None
) -> str | None:
    """The view's query; None for a table of undeclared columns without a file."""
    nulls = {} if schema is None else _nulls(schema)
    if not lake.files(name):
        return f"select * from (select {', '.join(nulls.values())}) where false" if nulls else None
    rows = relation(lake.plan(name))
    written = {column.name for column in lake.plan(name).columns} or connection.sql(f"from {rows}").columns
    columns = [f'"{column}"' if column in written else null for column, null in nulls.items()]
    return f"select {', '.join(columns) or '*'} from {rows}"


def _nulls(schema: tables.TableSchema) -> dict[str, str]:
    """Each column as a typed null."""
    types = {column: tables.SPARK_TYPES[kind] for column, kind in schema.columns.items()}
    return {column: f'cast(null as {_DUCKDB_TYPES.get(kind, kind)}) as "{column}"' for column, kind in types.items()}
