"""Read the lake's published tables with DuckDB (main environment): one view a table, named ``<layer>_<table>``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jishi import tables
from jishi.lake import Lake

if TYPE_CHECKING:
    import duckdb

QUERYABLE = (tables.BRONZE_EVENTS, *tables.SILVER, *tables.RECOMMENDATIONS)
_DUCKDB_TYPES = {"TIMESTAMP_NTZ": "TIMESTAMP", "STRING": "VARCHAR", "ARRAY<FLOAT>": "FLOAT[]"}


@contextmanager
def open_lake(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view for every table of ``jishi.tables``; a table without rows is an empty view of its columns."""
    import duckdb

    with duckdb.connect() as connection:
        for schema in QUERYABLE:
            view = schema.name.replace("/", "_")
            files = [str(file) for file in lake.files(schema.name)]
            columns = ", ".join(f'"{name}"' for name in schema.columns)
            if files:
                connection.read_parquet(files, hive_partitioning=False, union_by_name=True).select(columns).create_view(view)
            else:
                connection.execute(f"create view {view} as select * from (select {_nulls(schema)}) where false")
        yield connection


def _nulls(schema: tables.TableSchema) -> str:
    types = {column: tables.SPARK_TYPES[kind] for column, kind in schema.columns.items()}
    return ", ".join(f'cast(null as {_DUCKDB_TYPES.get(kind, kind)}) as "{column}"' for column, kind in types.items())
