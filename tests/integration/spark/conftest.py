"""One Spark session for all Spark tests, and one lake in which every golden case is a shop, built once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyspark.sql import SparkSession

from imports.bronze import LineCounts, bronze_rows
from jishi.arrow_tables import to_arrow, write_parquet
from jishi.lake import Lake
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import BRONZE_EVENTS, TableSchema
from spark_jobs.session import open_session
from spark_jobs.silver.job import batch_order, build_silver

CASES = sorted(folder for folder in (Path(__file__).parents[2] / "golden" / "silver").iterdir() if folder.is_dir())


class SilverPlatform:
    """A lake of a test: land lines, build batches, read tables."""

    def __init__(self, session: SparkSession, settings: Settings, shops: Shops) -> None:
        self.session, self.settings, self.shops = session, settings, shops
        self.lake = Lake(Paths.of(settings).lake)

    def land(self, batch: str, lines_by_shop: dict[str, Sequence[bytes]]) -> None:
        """Bronze rows as the collector lands them; a live batch has positions in the log, and names of its own."""
        parts = [f"shop={shop_id}/batch={batch}" for shop_id in lines_by_shop]
        with self.lake.publish(BRONZE_EVENTS.name, replace=parts) as draft:
            for shop_id, lines in lines_by_shop.items():
                rows = list(bronze_rows(lines, LineCounts(), shop_id=shop_id, first_seq=0))
                if batch != "history":
                    for offset, row in enumerate(rows):
                        row.update(collector_id=batch, log_partition=0, log_offset=offset)
                self.write(draft.path / f"shop={shop_id}/batch={batch}", BRONZE_EVENTS, rows)

    @staticmethod
    def write(folder: Path, schema: TableSchema, rows: list[dict[str, Any]]) -> None:
        """One Parquet file of rows; columns that a row does not name are null."""
        blank = dict.fromkeys(schema.columns)
        write_parquet(to_arrow(schema, [blank | row for row in rows]), folder / "part-0.parquet")

    def publish(self, schema: TableSchema, rows: list[dict[str, Any]]) -> None:
        """A table of hand-made rows in the folders of their shops."""
        with self.lake.publish(schema.name) as draft:
            for shop_id in {row["shop_id"] for row in rows}:
                self.write(draft.path / f"shop={shop_id}", schema, [row for row in rows if row["shop_id"] == shop_id])

    def build(self, batch: str, shops: Iterable[str] = ()) -> dict[str, int]:
        """Build silver of one batch; rows by table."""
        return build_silver(self.session, self.lake, self.shops, self.settings, batch, sorted(shops), lambda name: None).rows

    def rows(self, schema: TableSchema, shop_id: str | None = None) -> list[dict[str, Any]]:
        """Published rows in the order of the key, as plain values without nulls."""
        view, order = schema.name.replace("/", "_"), ", ".join(f'"{column}"' for column in schema.key)
        with open_lake(open_version(self.settings)) as connection:
            cursor = connection.execute(
                f"select * from {view} where shop_id = coalesce(?, shop_id) order by {order}", [shop_id]
            )
            names = [column[0] for column in cursor.description]
            return [
                {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in cursor.fetchall()
            ]

    def versions(self) -> dict[str, str]:
        """What every pointer of the lake names."""
        return {str(file.relative_to(self.lake.root)): file.read_text() for file in self.lake.root.rglob("CURRENT")}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    settings = Settings(var=tmp_path_factory.mktemp("spark"), spark_driver_memory="1g", _env_file=None)  # type: ignore[call-arg]
    session = open_session(settings, Paths.of(settings), "tests")
    session.conf.set("spark.sql.shuffle.partitions", "2")
    yield session
    session.stop()


@pytest.fixture
def platform(spark: SparkSession, tmp_path: Path) -> SilverPlatform:
    """An empty lake with two shops, ``a`` in Shanghai and ``b`` in UTC."""
    shops = Shops()
    shops.add(Shop(shop_id="a", name="A", time_zone="Asia/Shanghai"))
    shops.add(Shop(shop_id="b", name="B"))
    return SilverPlatform(spark, Settings(var=tmp_path / "var", _env_file=None), shops)  # type: ignore[call-arg]


@pytest.fixture(scope="session")
def golden(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SilverPlatform:
    """All golden cases in one lake, each a shop named like its folder (hyphens for underscores), batches in their order."""
    shops, batches = Shops(), {}
    for case in CASES:
        shop_id = case.name.replace("_", "-")
        shops.add(Shop(shop_id=shop_id, name=case.name, **json.loads((case / "input" / "shop.json").read_text())))
        for file in (case / "input").glob("*.jsonl"):
            lines = [line.replace(b"$SHOP", shop_id.encode()) for line in file.read_bytes().splitlines()]
            batches.setdefault(file.stem, {})[shop_id] = lines
    settings = Settings(var=tmp_path_factory.mktemp("golden"), _env_file=None)  # type: ignore[call-arg]
    silver_platform = SilverPlatform(spark, settings, shops)
    for batch in sorted(batches, key=batch_order):
        silver_platform.land(batch, batches[batch])
        silver_platform.build(batch)
    return silver_platform


@pytest.fixture
def query() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection
