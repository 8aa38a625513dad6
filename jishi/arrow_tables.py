"""Parquet form of the lake's tables, derived from ``jishi.tables`` (which knows no engine)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jishi.tables import TableSchema

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "instant": pa.timestamp("us"),
    "floats": pa.list_(pa.float32()),
    "strings": pa.list_(pa.string()),
    "int64s": pa.list_(pa.int64()),
}


def arrow_schema(table: TableSchema) -> pa.Schema:
    """Arrow schema of a lake table, columns in the declared order."""
    return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in table.columns.items()])


def schema_of(columns: pa.Schema, name: str, grain: str, key: tuple[str, ...], partition: tuple[str, ...] = ()) -> TableSchema:
    """The declaration of a table that has the columns of an Arrow table. Raises KeyError for a type that no table has."""
    kinds = {kind: name for name, kind in ARROW_TYPES.items()}
    return TableSchema(name, grain, key, {field.name: kinds[field.type] for field in columns}, partition)


def to_arrow(table: TableSchema, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as an Arrow table; a key that is missing in a row is a KeyError, because a column must not vanish in silence."""
    schema = arrow_schema(table)
    if not rows:
        return schema.empty_table()
    columns = zip(*map(itemgetter(*schema.names), rows), strict=True)
    return pa.Table.from_arrays(
        [pa.array(column, type=kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema
    )


def write_parquet(table: pa.Table, file: Path, field_ids: Mapping[str, int] | None = None) -> None:
    """Write one Parquet file that Spark, DuckDB and pyarrow read alike (microseconds, zstd); same rows, same bytes.

    ``field_ids`` are the numbers by which Iceberg knows the columns (``jishi.lake.publishing.field_ids``).
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if field_ids is not None:
        numbered = [field.with_metadata({"PARQUET:field_id": str(field_ids[field.name])}) for field in table.schema]
        table = pa.Table.from_arrays(table.columns, schema=pa.schema(numbered))
    pq.write_table(table, file, compression="zstd", compression_level=1, coerce_timestamps="us")
