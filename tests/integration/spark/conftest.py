"""One Spark session for all Spark tests, and one lake in which every golden case is a shop, built once."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession

from imports.bronze import LineCounts, bronze_rows, in_lake
from jishi.arrow_tables import to_arrow
from jishi.lake.publishing import Replacement, publish
from jishi.lake.query import open_lake
from jishi.lake.rows import Rows
from jishi.lake.table_creation import create_table, create_tables
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import BRONZE_EVENTS, SILVER, TableSchema
from spark_jobs.publication import Publication
from spark_jobs.session import open_session, session_of_lake
from spark_jobs.silver.batches import batch_order
from spark_jobs.silver.bronze import source_of
from spark_jobs.silver.job import SilverBuilt, build_silver
from tests.lake import newest, table_of
from tests.lake import publish as publish_rows

CASES = sorted(folder for folder in (Path(__file__).parents[2] / "golden" / "silver").iterdir() if folder.is_dir())


class SilverPlatform:
    """A lake of a test: land lines, build batches, read tables."""

    def __init__(self, session: SparkSession, settings: Settings, shops: Shops) -> None:
        self.session, self.settings, self.shops = session_of_lake(session, settings), settings, shops
        self.session.conf.set("spark.sql.shuffle.partitions", "2")
        self.reported: list[str] = []  # by builds

    def land(self, batch: str, lines_by_shop: dict[str, Sequence[bytes]]) -> None:
        """Bronze rows as they come: a history as it is imported, a live day as the stream appends it, in place of its rows.

        A live batch has positions in the log, and names of its own.
        """
        rows_by_shop = {}
        for shop_id, lines in lines_by_shop.items():
            rows = list(bronze_rows(lines, LineCounts(), shop_id=shop_id, first_seq=0))
            if batch != "history":
                for offset, row in enumerate(rows):
                    row.update(collector_id=batch, log_partition=0, log_offset=offset)
            rows_by_shop[shop_id] = rows
        self.put_bronze(batch, rows_by_shop)

    def put_bronze(self, batch: str, rows_by_shop: dict[str, list[dict[str, Any]]]) -> None:
        """Make these the bronze rows of a batch; columns that a row does not name are null."""
        blank, shops = dict.fromkeys(BRONZE_EVENTS.columns), sorted(rows_by_shop)
        rows = to_arrow(BRONZE_EVENTS, [blank | row for of_shop in rows_by_shop.values() for row in of_shop])
        schema, where = source_of(batch, shops)
        if batch == "history":
            publish(self.settings, "a test", lambda base: [Replacement(schema, where, in_lake(rows, schema))])
        else:
            table = create_table(create_tables(self.settings, ()), schema)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table.overwrite(in_lake(rows, schema), where.expression())

    def publish(self, schema: TableSchema, rows: list[dict[str, Any]]) -> None:
        """A table of hand-made rows."""
        publish_rows(self.settings.var, {schema: rows})

    def has(self, schema: TableSchema) -> bool:
        """Whether the newest version has rows of a table, or had some."""
        return newest(self.settings.var).has(schema.name)

    def unpublished(self, schema: TableSchema, rows: list[dict[str, Any]], *read: TableSchema) -> Publication:
        """A publish that has written these rows and is not finished."""
        publication = Publication(self.session, self.settings, "a test", (schema, *read))
        publication.replace(schema, self.frame(schema, rows), Rows.all())
        return publication

    def frame(self, schema: TableSchema, rows: list[dict[str, Any]]) -> DataFrame:
        """Rows of a table for Spark; columns that a row does not name are null."""
        complete = table_of(schema, rows).to_pylist()
        return self.session.createDataFrame([tuple(row.values()) for row in complete], schema.spark_ddl)

    def build(self, batch: str, shops: Iterable[str] = ()) -> dict[str, int]:
        """Build silver of one batch; rows by table. Raises what the first shop failed by."""
        built = self.try_build(batch, shops)
        for error in built.failures.values():
            raise error
        return built.rows

    def try_build(self, batch: str, shops: Iterable[str] = (), **options: Any) -> SilverBuilt:
        """Build silver of one batch, with the options of ``build_silver``; a shop may fail."""
        return build_silver(self.session, self.settings, self.shops, batch, sorted(shops), self.reported.append, **options)

    def rows(self, schema: TableSchema, shop_id: str | None = None) -> list[dict[str, Any]]:
        """Published rows in the order of the key, as plain values without nulls."""
        view, order = schema.name.replace("/", "_"), ", ".join(f'"{column}"' for column in schema.key)
        with open_lake(newest(self.settings.var)) as connection:
            cursor = connection.execute(
                f"select * from {view} where shop_id = coalesce(?, shop_id) order by {order}", [shop_id]
            )
            names = [column[0] for column in cursor.description]
            return [
                {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in cursor.fetchall()
            ]

    def silver(self) -> dict[str, list[dict[str, Any]]]:
        """Published rows of every table of silver."""
        return {schema.name: self.rows(schema) for schema in SILVER}

    @property
    def version(self) -> int:
        """Number of the newest version."""
        return newest(self.settings.var).number


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    settings = Settings(var=tmp_path_factory.mktemp("spark"), spark_driver_memory="1g", _env_file=None)  # type: ignore[call-arg]
    session = open_session(settings, Paths.of(settings), "tests", is_short=True)
    session.conf.set("spark.sql.shuffle.partitions", "2")
    yield session
    session.stop()


def platform_of(spark: SparkSession, folder: Path, time_zones: Mapping[str, str]) -> SilverPlatform:
    """An empty lake of its own with these shops."""
    shops = Shops()
    for shop_id, zone in time_zones.items():
        shops.add(Shop(shop_id=shop_id, name=shop_id.upper(), time_zone=zone))
    return SilverPlatform(spark, Settings(var=folder / "var", _env_file=None), shops)  # type: ignore[call-arg]


@pytest.fixture
def platform(spark: SparkSession, tmp_path: Path) -> SilverPlatform:
    """An empty lake with two shops, ``a`` in Shanghai and ``b`` in UTC."""
    return platform_of(spark, tmp_path, {"a": "Asia/Shanghai", "b": "UTC"})


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
