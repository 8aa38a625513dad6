"""Tables of a test's lake, published by hand and opened as readers open them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jishi.arrow_tables import to_arrow, write_parquet
from jishi.lake import Lake
from jishi.lake.reading import LakeVersion, open_version
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import TableSchema

Rows = Sequence[Mapping[str, Any]]


def settings_in(var: Path) -> Settings:
    """Settings over a folder of state; nothing comes from the environment's file."""
    return Settings(var=var, _env_file=None)  # type: ignore[call-arg]


def publish(var: Path, tables: Mapping[TableSchema, Rows]) -> None:
    """Make these the rows of the tables; columns that a row does not name are null."""
    lake = Lake(Paths.of(settings_in(var)).lake)
    for schema, rows in tables.items():
        with lake.publish(schema.name) as draft:
            write_parquet(
                to_arrow(schema, [dict.fromkeys(schema.columns) | dict(row) for row in rows]), draft.path / "0.parquet"
            )


def newest(var: Path) -> LakeVersion:
    """The newest version of the lake below ``var``."""
    return open_version(settings_in(var))
