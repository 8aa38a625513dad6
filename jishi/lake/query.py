"""Read the lake's published tables with DuckDB (main environment): one view a table, named ``<layer>_<table>``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jishi import tables
from jishi.lake import Lake

if TYPE_CHECKING:
    import duckdb

QUERYABLE = (
    *(tables.BRONZE_EVENTS, tables.BRONZE_REPAIRS, *tables.SILVER),
    *(*tables.RECOMMENDATIONS, *tables.BEFORE_CUT.values(), tables.ONLINE_PARITY),
)
_DUCKDB_TYPES = {"TIMESTAMP_NTZ": "TIMESTAMP", "STRING": "VARCHAR", "ARRAY<FLOAT>": "FLOAT[]"}


@contextmanager
def open_lake(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view for every table of ``jishi.tables``; a table without rows is an empty view of its columns."""
    import duckdb

    with duckdb.connect() as connection:
        for schema in QUERYABLE:
            view = schema.name.replace("/", "_")
            files = [str(file) for file in lake.files(schema.name)]
            if files:
                found = connection.read_parquet(files, hive_partitioning=False, union_by_name=True)
                # A column that was declared after the files were written is null in them.
                columns = [f'"{name}"' if name in found.columns else null for name, null in _nulls(schema).items()]
                found.select(", ".join(columns)).create_view(view)
            else:
                nulls = ", ".join(_nulls(schema).values())
                connection.execute(f"create view {view} as select * from (select {nulls}) where false")
        yield connection


def _nulls(schema: tables.TableSchema) -> dict[str, str]:
    """Each column as a typed null."""
    types = {column: tables.SPARK_TYPES[kind] for column, kind in schema.columns.items()}
    return {column: f'cast(null as {_DUCKDB_TYPES.get(kind, kind)}) as "{column}"' for column, kind in types.items()}
