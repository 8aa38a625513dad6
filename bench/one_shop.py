"""A lake for a bench: a folder of its own with one registered shop and the tables that the bench makes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jishi.arrow_tables import arrow_schema, write_parquet
from jishi.lake.publishing import Replacement, field_ids, publish
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shop, Shops
from jishi.tables import TableSchema


def settings_of(var: Path) -> Settings:
    """The settings of this process over another folder of state."""
    return get_settings().model_copy(update={"var": var})


def register(var: Path, shop_id: str) -> None:
    """Register the shop below ``var``."""
    shops = Shops()
    shops.add(Shop(shop_id=shop_id, name=shop_id))
    shops.save(Paths.of(settings_of(var)).shops_file)


def publish_folder(var: Path, schema: TableSchema, folder: Path, where: Rows | None = None) -> None:
    """Publish the Parquet files of a folder in place of the rows of a table that ``where`` names, of all if left out.

    Columns that they do not have are null.
    """
    settings, files = settings_of(var), sorted(folder.rglob("*.parquet"))
    numbers = field_ids(settings, schema)
    for file in files:
        rows = pq.read_table(file, partitioning=None)
        names = set(rows.column_names)
        columns = [rows[f.name] if f.name in names else pa.nulls(len(rows), f.type) for f in arrow_schema(schema)]
        write_parquet(pa.Table.from_arrays(columns, schema=arrow_schema(schema)), file, numbers)
    publish(settings, "bench", lambda base: [Replacement(schema, where or Rows.all(), files=files)])
