"""The same landed history through both profiles gives the same tables, features and release, row for row.

The servers of the other: Spark's master and worker, an object store, PostgreSQL with the catalog, Redis. Nothing but settings
differs between the runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from pyarrow.fs import S3FileSystem

from feature_repo.store import open_store
from jishi.features.daily import DAILY
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.settings import Settings
from models.release.artefact import read_manifest
from models.release.registry import current_version
from quality.reconcile import table_contents
from tests.integration.conftest import Server, new_database
from tests.integration.shops.conftest import KISSA, ShopPlatform, build
from tests.integration.shops.spark_servers import HOST, spark_cluster

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def on_servers(
    platform: ShopPlatform,
    object_store: str,
    postgres_server: Server,
    redis_server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ShopPlatform]:
    """The same shops and landed files, worked up by the same commands with the cluster profile's settings."""
    folder = tmp_path_factory.mktemp("on-servers")
    keys = {"access_key": "key", "secret_key": "secret"}
    S3FileSystem(endpoint_override=object_store, region="us-east-1", allow_bucket_creation=True, **keys).create_dir("shops")
    with spark_cluster(folder) as spark:
        values = {
            "profile": "cluster",
            "lake_catalog_uri": f"postgresql://jishi@{HOST}:{postgres_server.port}/{new_database(postgres_server)}",
            "lake_warehouse": "s3://shops/lake",
            "lake_s3_endpoint": object_store,
            "redis_url": f"{HOST}:{redis_server.port}",
            "spark_master": spark.url,
        } | {f"lake_s3_{name}": key for name, key in keys.items()}
        variables = {f"JISHI_{name.upper()}": value for name, value in values.items()} | {"SPARK_LOCAL_IP": HOST}
        settings = Settings(var=folder / "var", _env_file=None, **values)  # type: ignore[call-arg,arg-type]
        twin = ShopPlatform(settings, platform.truth, variables)
        shutil.copytree(platform.paths.history.parent, twin.paths.history.parent)
        shutil.copy(platform.paths.shops_file, twin.paths.shops_file)
        simulated = folder / "simulated"
        simulated.symlink_to(platform.paths.var.parent / "simulated")
        build(twin, folder)
        yield twin


def test_every_published_table_has_the_same_rows(platform: ShopPlatform, on_servers: ShopPlatform) -> None:
    embedded, cluster = (
        {name: (rows, total) for name, rows, total in table_contents(each.settings)} for each in (platform, on_servers)
    )
    assert embedded.keys() == cluster.keys()
    assert [name for name, content in embedded.items() if cluster[name] != content] == []
    assert sum(rows for rows, _ in embedded.values()) > 50_000
    files = open_version(on_servers.settings).files("silver/events")
    assert all(file.startswith("s3://shops/lake/") for file in files)
    assert not (on_servers.paths.lake / "warehouse").exists()


def released(platform: ShopPlatform) -> dict[str, Any]:
    """What says the same of two releases of one content: checksums of the model's files and the decision of the gate."""
    version = current_version(platform.paths.models, KISSA)
    assert version is not None, platform.printed["gate"]
    manifest = read_manifest(platform.paths.models / KISSA / "releases" / version)
    return {name: manifest[name] for name in ("sha256", "shapes", "canaries", "placements", "beats_popularity")}


def test_the_released_model_is_the_same(platform: ShopPlatform, on_servers: ShopPlatform) -> None:
    embedded, cluster = released(platform), released(on_servers)
    assert len(embedded["sha256"]) > 5
    assert cluster == embedded


def online(platform: ShopPlatform) -> list[dict[str, Any]]:
    """Daily features of everybody and everything in the shop, as serving would read them."""
    rows = []
    store = open_store(platform.settings, platform.paths)
    with open_lake(open_version(platform.settings)) as lake:
        for table in DAILY:
            view = table.name.replace("/", "_")
            key = f"{table.entity}_id"
            sql = f"select distinct {key} from {view} where shop_id = ? order by 1"
            keys = [{"shop_id": KISSA, key: entity} for (entity,) in lake.execute(sql, [KISSA]).fetchall()]
            names = [f"{table.view}:{column}" for column in table.columns]
            values = store.get_online_features(names, keys).to_dict()
            rows.append({name: values[name] for name in sorted(values)})
    return rows


def test_the_online_store_answers_the_same(platform: ShopPlatform, on_servers: ShopPlatform) -> None:
    embedded = online(platform)
    assert all(len(of_table["shop_id"]) > 20 for of_table in embedded)
    assert online(on_servers) == embedded
