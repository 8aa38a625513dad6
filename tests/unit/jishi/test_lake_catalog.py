"""The options of each engine name the same catalog and warehouse; a wrong setting is refused with the fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jishi.lake.catalog import CatalogSettingWrong, flink_catalog_options, jdbc_options, spark_options
from jishi.settings import Settings


def settings(**changed: str) -> Settings:
    return Settings(var=Path("/var/my shops"), _env_file=None, **changed)  # type: ignore[call-arg,arg-type]


def test_embedded_lake_lies_in_var() -> None:
    options = spark_options(settings())
    assert options["spark.sql.catalog.lake.uri"].startswith("jdbc:sqlite:/var/my shops/lake/catalog.db?")
    assert options["spark.sql.catalog.lake.warehouse"] == "file:///var/my shops/lake/warehouse"  # as engines take it
    assert not any("s3" in key for key in options)


@pytest.mark.parametrize("sign", ["?", "#", "'"])
def test_a_folder_that_no_address_can_name_is_refused(sign: str) -> None:
    with pytest.raises(CatalogSettingWrong, match=rf"var{re.escape(sign)}s.* holds {re.escape(sign)}.*JISHI_VAR"):
        spark_options(Settings(var=Path(f"/srv/var{sign}s"), _env_file=None))  # type: ignore[call-arg]


def test_postgresql_and_object_store_by_settings_alone() -> None:
    chosen = settings(
        lake_catalog_uri="postgresql://who:p%40ss@db/lake",
        lake_warehouse="s3://bucket/lake/",
        lake_s3_endpoint="http://store:9000",
        lake_s3_access_key="k",
        lake_s3_secret_key="s",
    )
    options = flink_catalog_options(chosen)
    assert options["uri"] == "jdbc:postgresql://db:5432/lake"
    assert (options["jdbc.user"], options["jdbc.password"]) == ("who", "p@ss")
    assert options["warehouse"] == "s3://bucket/lake"
    assert options["s3.path-style-access"] == "true"
    assert {f"spark.sql.catalog.lake.{key}" for key in jdbc_options(chosen)} < set(spark_options(chosen))


@pytest.mark.parametrize("uri", ["sqlite:///relative.db", "mysql://db/lake", "postgresql://db", "postgresql:///lake"])
def test_an_unusable_catalog_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(CatalogSettingWrong, match=r"JISHI_LAKE_CATALOG_URI .*four slashes"):
        jdbc_options(settings(lake_catalog_uri=uri))


def test_an_unusable_warehouse_is_refused() -> None:
    with pytest.raises(CatalogSettingWrong, match=r"JISHI_LAKE_WAREHOUSE .* file:///PATH or s3://BUCKET/PATH"):
        spark_options(settings(lake_warehouse="/plain/path"))
