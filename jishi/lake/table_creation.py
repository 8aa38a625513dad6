"""Create the lake's Iceberg tables from their declaration, and bring older ones up to it; idempotent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jishi.lake.catalog import NAMESPACES, alone, identifier, open_catalog
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import TABLES, TableSchema

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.partitioning import PartitionField
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.types import IcebergType

PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # Copy on write: no delete files, so the data files of a snapshot are its rows, for readers that know Parquet alone.
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
    # Flink commits every few seconds, and each commit writes the table's metadata anew.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "flink.max-continuous-empty-commits": "720",  # a silent log gives a commit an hour at five seconds a checkpoint, not 72
    "commit.retry.num-retries": "10",
}
_PARTITION_FIELD = re.compile(r"(?:(?P<transform>day|month|year)\()?(?:bucket\((?P<buckets>\d+), )?(?P<column>\w+)\)?")


class TableConflict(RuntimeError):
    """A table of the lake has a column of another type than its declaration."""


def create_tables(settings: Settings, schemas: Iterable[TableSchema] = TABLES) -> SqlCatalog:
    """Make the namespaces, tables and columns that are declared and missing; returns the open catalog.

    A column that is declared later is added to the table of an older lake and is null in its rows; one that is no longer
    declared stays. Raises TableConflict when a type has changed.
    """
    catalog = open_catalog(settings)
    with alone(settings):
        for namespace in NAMESPACES:
            catalog.create_namespace_if_not_exists(namespace)
        for schema in schemas:
            create_table(catalog, schema)
    return catalog


def missing_columns(settings: Settings, schemas: Iterable[TableSchema] = TABLES) -> list[str]:
    """Columns, as ``silver.orders.paid_minor``, that are declared and that the tables which are there lack."""
    from pyiceberg.exceptions import NoSuchTableError

    if not settings.lake_catalog_uri and not Paths.of(settings).lake_catalog.exists():
        return []
    catalog, missing = open_catalog(settings), []
    for schema in schemas:
        name = identifier(schema.name)
        try:
            there = {field.name for field in catalog.load_table(name).schema().fields}
        except NoSuchTableError:
            continue
        missing += [f"{name}.{column}" for column in schema.columns if column not in there]
    return missing


def create_table(catalog: SqlCatalog, schema: TableSchema) -> Table:
    """One table as declared: made, brought up to its declaration, or just loaded."""
    from pyiceberg.exceptions import NoSuchTableError
    from pyiceberg.partitioning import PartitionSpec

    declared = iceberg_schema(schema)
    spec = PartitionSpec(*(_partition_field(text, declared, 1000 + n) for n, text in enumerate(schema.partition)))
    name = identifier(schema.name)
    try:
        table = catalog.load_table(name)
    except NoSuchTableError:  # asked first: pyiceberg leaves a file of metadata behind for each table that was there already
        table = catalog.create_table_if_not_exists(name, declared, partition_spec=spec, properties=PROPERTIES)
    _bring_up(table, schema, declared)
    return table


def iceberg_schema(schema: TableSchema) -> Schema:
    """Columns of a table as Iceberg has them; each may be null, because a column may be declared later."""
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    fields = [NestedField(n, name, _type(kind, n), required=False) for n, (name, kind) in enumerate(schema.columns.items(), 1)]
    return Schema(*fields)


def _bring_up(table: Table, schema: TableSchema, declared: Schema) -> None:
    existing = {field.name: field.field_type for field in table.schema().fields}
    for field in declared.fields:
        known = existing.get(field.name)
        if known is not None and _without_ids(known) != _without_ids(field.field_type):
            raise TableConflict(
                f"{schema.name}.{field.name} is {known} in the lake and {field.field_type} in jishi/tables/; "
                "declare a column of another name and build the table again"
            )
    missing = [field for field in declared.fields if field.name not in existing]
    if missing:
        names = list(schema.columns)
        with table.update_schema() as update:
            for field in missing:
                update.add_column(field.name, field.field_type)
                place = names.index(field.name)
                if place:
                    update.move_after(field.name, names[place - 1])
                else:
                    update.move_first(field.name)
    kept = PROPERTIES.items() - {("format-version", "2")}  # Iceberg has that one beside the properties
    changed = {key: value for key, value in kept if table.properties.get(key) != value}
    if changed:
        with table.transaction() as transaction:
            transaction.set_properties(changed)


def _type(kind: str, field_id: int) -> IcebergType:
    from pyiceberg import types

    elements: dict[str, IcebergType] = {"floats": types.FloatType(), "strings": types.StringType(), "int64s": types.LongType()}
    if kind in elements:
        return types.ListType(element_id=100_000 + field_id, element_type=elements[kind], element_required=False)
    simple: dict[str, IcebergType] = {
        "string": types.StringType(),
        "int32": types.IntegerType(),
        "int64": types.LongType(),
        "double": types.DoubleType(),
        "bool": types.BooleanType(),
        "date": types.DateType(),
        "instant": types.TimestampType(),
    }
    return simple[kind]


def _without_ids(kind: IcebergType) -> str:
    return re.sub(r"\d+: ", "", str(kind))


def _partition_field(text: str, schema: Schema, field_id: int) -> PartitionField:
    from pyiceberg.partitioning import PartitionField
    from pyiceberg.transforms import parse_transform

    parsed = _PARTITION_FIELD.fullmatch(text)
    if parsed is None or schema.find_field(parsed["column"]) is None:
        raise ValueError(f"partition field {text!r}: write day(column), bucket(n, column) or a column")
    column, transform = parsed["column"], parsed["transform"] or (f"bucket[{parsed['buckets']}]" if parsed["buckets"] else "")
    name = f"{column}_{transform.partition('[')[0]}" if transform else column
    return PartitionField(schema.find_field(column).field_id, field_id, parse_transform(transform or "identity"), name)
