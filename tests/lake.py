"""Tables of a test's lake, published by hand and opened as readers open them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from jishi.arrow_tables import to_arrow, write_parquet
from jishi.lake.plans import Plan, PlannedColumn, PlannedFile, write_plan
from jishi.lake.publishing import Replacement
from jishi.lake.publishing import publish as publish_by_pyiceberg
from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.rows import Rows
from jishi.lake.versions import TableVersion, Versions
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shop, Shops
from jishi.tables import TableSchema

TableRows = Mapping[TableSchema, Sequence[Mapping[str, Any]]]
_TYPES = {"int32": "int", "int64": "long", "bool": "boolean", "instant": "timestamp", "floats": "list<float>"} | {
    **{"strings": "list<string>", "int64s": "list<long>"}
}


@contextmanager
def platform_of_commands(var: Path, monkeypatch: pytest.MonkeyPatch, *shops: Shop) -> Iterator[Paths]:
    """A platform with these shops, which commands find by JISHI_VAR while the block lasts."""
    monkeypatch.setenv("JISHI_VAR", str(var))
    get_settings.cache_clear()
    paths = Paths.of(get_settings())
    with Shops.edit(paths.shops_file) as registered:
        for shop in shops:
            registered.add(shop)
    yield paths
    get_settings.cache_clear()


def settings_in(var: Path) -> Settings:
    """Settings over a folder of state; nothing comes from the environment's file."""
    return Settings(var=var, _env_file=None)  # type: ignore[call-arg]


def newest(var: Path) -> LakeVersion:
    """The newest version of the lake below ``var``."""
    return open_version(settings_in(var))


def publish(var: Path, tables: TableRows) -> TableVersion:
    """Make these the rows of Iceberg tables; columns that a row does not name are null."""

    def build(base: TableVersion | None) -> list[Replacement]:
        return [Replacement(schema, Rows.all(), table_of(schema, rows)) for schema, rows in tables.items()]

    return publish_by_pyiceberg(settings_in(var), "a test", build)


def record(var: Path, tables: TableRows) -> TableVersion:
    """Make these the rows of tables for whoever reads by plan: files, plans and a version, without Iceberg's own metadata.

    For tests whose subject is not the lake: a hundred times faster than ``publish``.
    """
    settings = settings_in(var)
    paths, versions = Paths.of(settings), Versions.of(settings)
    latest = versions.latest()
    snapshots = dict(latest.snapshots) if latest else {}
    for schema, rows in tables.items():
        snapshots[schema.name] = uuid4().int >> 65
        file = paths.lake / "by-hand" / f"{snapshots[schema.name]}.parquet"
        table = table_of(schema, rows)
        fields = [field.with_metadata({"PARQUET:field_id": str(number)}) for number, field in enumerate(table.schema, 1)]
        write_parquet(table.cast(pa.schema(fields)), file)
        columns = [PlannedColumn(n, name, _TYPES.get(kind, kind)) for n, (name, kind) in enumerate(schema.columns.items(), 1)]
        files = (PlannedFile(str(file), len(rows), file.stat().st_size),)
        write_plan(paths, Plan(schema.name, snapshots[schema.name], tuple(columns), files))
    base = latest.number if latest else None
    marts = latest.marts if latest else None
    changes = dict.fromkeys(schema.name for schema in tables)
    version = TableVersion((base or 0) + 1, datetime.now(UTC), "a test", base, snapshots, changes, marts)
    versions.commit(version)
    return version


def table_of(schema: TableSchema, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table; columns that a row does not name are null."""
    return to_arrow(schema, [dict.fromkeys(schema.columns) | dict(row) for row in rows])
