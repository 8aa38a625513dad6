"""A Spark worker that dies in the middle of a job, with its executor, changes no row of what the job publishes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow.fs import FileSelector, S3FileSystem

from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops.jars import fetch_jars
from quality.reconcile import table_contents
from tests.integration.conftest import Server, new_database
from tests.integration.shops.conftest import KISSA, ShopPlatform, land_kissa
from tests.integration.shops.spark_servers import HOST, SparkServers, spark_cluster

pytestmark = [pytest.mark.integration, pytest.mark.survive, pytest.mark.timeout(1500)]
BUCKET = "workers"
SILVER = ("spark_jobs", "silver", "--batch", "history", "--shop", KISSA)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServers]:
    with spark_cluster(tmp_path_factory.mktemp("spark-servers")) as started:
        yield started


@pytest.fixture(scope="module")
def store(object_store: str) -> S3FileSystem:
    opened = S3FileSystem(
        endpoint_override=object_store, region="us-east-1", allow_bucket_creation=True, access_key="key", secret_key="secret"
    )
    opened.create_dir(BUCKET)
    return opened


@pytest.fixture(scope="module")
def built(
    servers: SparkServers,
    store: S3FileSystem,
    object_store: str,
    postgres_server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> ShopPlatform:
    """One shop's silver, built on the cluster while nothing died."""
    folder = tmp_path_factory.mktemp("worker-dies")
    values = {
        "profile": "cluster",
        "lake_catalog_uri": f"postgresql://jishi@{HOST}:{postgres_server.port}/{new_database(postgres_server)}",
        "lake_warehouse": f"s3://{BUCKET}/lake",
        "lake_s3_endpoint": object_store,
        "lake_s3_access_key": "key",
        "lake_s3_secret_key": "secret",
        "spark_master": servers.url,
    }
    variables = {f"JISHI_{name.upper()}": value for name, value in values.items()} | {"SPARK_LOCAL_IP": HOST}
    settings = Settings(var=folder / "var", _env_file=None, **values)  # type: ignore[call-arg,arg-type]
    fetch_jars(Paths.of(settings), with_object_store=True)
    platform = ShopPlatform(settings, variables=variables)
    land_kissa(platform, folder / "simulated")
    platform.command("history", "imports", "history", "--shop", KISSA)
    platform.command("silver", *SILVER)
    return platform


def data_files(store: S3FileSystem) -> set[str]:
    """Files of rows of silver that lie in the store, published or not."""
    files = store.get_file_info(FileSelector(f"{BUCKET}/lake/silver", recursive=True))
    return {each.path for each in files if each.path.endswith(".parquet")}


def test_a_worker_dies_while_silver_is_written_and_the_rows_are_the_same(
    built: ShopPlatform, servers: SparkServers, store: S3FileSystem, tmp_path: Path
) -> None:
    before, version, files = sorted(table_contents(built.settings)), open_version(built.settings).number, data_files(store)
    assert sum(rows for name, rows, _ in before if name.startswith("silver/")) > 10_000
    servers.start_worker("second", cores=1)
    with (tmp_path / "silver.log").open("wb") as log:
        command = [sys.executable, "-m", *SILVER]
        job = subprocess.Popen(command, cwd=PROJECT_ROOT, env=built.environment, stdout=log, stderr=log)
    try:
        while not data_files(store) - files:
            assert job.poll() is None, (tmp_path / "silver.log").read_text()[-4000:]
            time.sleep(0.05)
        assert open_version(built.settings).number == version, "it was published before the worker could die"
        servers.kill("worker")
        assert job.wait(900) == 0, (tmp_path / "silver.log").read_text()[-4000:]
    finally:
        job.kill()
        job.wait()
    assert "Lost executor" in (tmp_path / "silver.log").read_text()
    assert open_version(built.settings).number > version
    assert sorted(table_contents(built.settings)) == before
