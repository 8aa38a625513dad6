"""Read the lake's published tables with DuckDB (main environment): one view a table, named ``<layer>_<table>``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jishi import tables
from jishi.lake import Lake

if TYPE_CHECKING:
    import duckdb

QUERYABLE = (tables.BRONZE_EVENTS, tables.BRONZE_REPAIRS, *tables.SILVER)


@contextmanager
def open_lake(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view for every table of ``jishi.tables``; a table without rows is an empty view of its columns."""
    import duckdb

    with duckdb.connect() as connection:
        for schema in QUERYABLE:
            view = schema.name.replace("/", "_")
            files = [str(file) for file in lake.files(schema.name)]
            types = schema.spark_ddl.replace("`", '"').replace("TIMESTAMP_NTZ", "TIMESTAMP").replace("STRING", "VARCHAR")
            if files:
                found = connection.read_parquet(files, hive_partitioning=False, union_by_name=True)
                # A column that was declared after the files were written is null in them.
                columns = [
                    f'"{name}"' if name in found.columns else _nulls(pair)
                    for name, pair in zip(schema.columns, types.split(", "), strict=True)
                ]
                found.select(", ".join(columns)).create_view(view)
            else:
                connection.execute(f"create view {view} as select * from (select {_nulls(types)}) where false")
        yield connection


def _nulls(types: str) -> str:
    pairs = [entry.split(" ", 1) for entry in types.split(", ")]
    return ", ".join(f"cast(null as {kind}) as {name}" for name, kind in pairs)
