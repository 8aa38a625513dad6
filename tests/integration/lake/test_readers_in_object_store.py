"""Readers of a lake in an object store: settings alone make the difference (moto's server speaks S3)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from pyarrow.fs import S3FileSystem

from jishi.lake.object_store import statements
from jishi.lake.publishing import Replacement, publish
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.rows import Rows
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_ITEMS, SILVER_ORDERS
from ops.dbt import new_database
from serving.catalogue import read_snapshot
from tests.lake import settings_in, table_of

pytestmark = pytest.mark.integration
AT = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)


@pytest.fixture
def settings(object_store: str, tmp_path: Path) -> Settings:
    keys = {"access_key": "key", "secret_key": "it's secret"}
    S3FileSystem(endpoint_override=object_store, region="us-east-1", allow_bucket_creation=True, **keys).create_dir("readers")
    settings = settings_in(tmp_path)
    settings.lake_warehouse, settings.lake_s3_endpoint = "s3://readers/warehouse", object_store
    settings.lake_s3_access_key, settings.lake_s3_secret_key = keys.values()
    return settings


def test_duckdb_serving_and_dbt_read_a_lake_in_a_bucket(settings: Settings, tmp_path: Path) -> None:
    orders = [{"shop_id": shop, "order_id": f"o{n}", "paid_minor": n, "paid_at": AT} for shop in "ab" for n in range(3)]
    items = [{"shop_id": "a", "item_id": "i", "title": "裙", "changed_at": AT, "known_at": AT, "stock": 2, "status": "active"}]
    rows = {SILVER_ORDERS: orders, SILVER_ITEMS: items}
    new = [Replacement(schema, Rows.all(), table_of(schema, of_table)) for schema, of_table in rows.items()]
    publish(settings, "a test", lambda base: new)
    version = open_version(settings)
    assert all(file.startswith("s3://readers/warehouse/") for file in version.files(SILVER_ORDERS.name))
    sums = "select shop_id, sum(paid_minor)::bigint from {} group by 1 order by 1"
    with open_lake(version) as connection:
        assert connection.execute(sums.format("silver_orders")).fetchall() == [("a", 3), ("b", 3)]
    assert read_snapshot(version, {})["a"]["i"].title == "裙"
    shops, database = Shops(), tmp_path / "build.duckdb"
    shops.add(Shop(shop_id="a", name="A"))
    new_database(version, shops, database)
    with duckdb.connect(str(database), read_only=True) as connection:
        for statement in statements(settings):  # as the project does on-run-start
            connection.execute(statement)
        assert connection.execute(sums.format("silver.orders")).fetchall() == [("a", 3), ("b", 3)]
