"""The same project on dbt-spark (method session) gives the rows that DuckDB gives, model by model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from jishi.lake.reading import open_version
from jishi.lake.versions import Versions
from jishi.marts import EXPORTED
from jishi.paths import Paths
from ops import marts
from ops.dbt import spark_environment
from ops.dbt_process import run_dbt
from ops.marts_file import PUBLISHED
from tests.lake import settings_in

pytestmark = pytest.mark.integration
MARTS = (*PUBLISHED, *EXPORTED)
# Hundreds of small queries end before Java's optimising compiler would have paid for itself.
_QUICK_JAVA = "-XX:+UseParallelGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m"


@pytest.fixture(scope="module")
def warehouse(built: Paths, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of dbt on Spark: one folder of Parquet files a model. Identities were tested on the way.

    Rows that equal DuckDB's need no generic test of their own.
    """
    folder = tmp_path_factory.mktemp("spark-warehouse")
    settings, database = settings_in(built.var), marts.work_database(built)
    [read] = Versions.of(settings).list(1)
    assert read.marts is not None
    environment = spark_environment(settings, open_version(settings, read.marts.built_from), database, folder)
    environment |= {"DBT_TARGET_PATH": str(folder / "target"), "SPARK_LOCAL_IP": "127.0.0.1", "JAVA_TOOL_OPTIONS": _QUICK_JAVA}
    done = run_dbt(["build", "--exclude", "resource_type:unit_test", "test_type:generic"], environment)
    assert done.returncode == 0, done.stdout[-3000:]
    return folder


@pytest.mark.parametrize("mart", MARTS)
def test_spark_and_duckdb_build_the_same_rows(warehouse: Path, working: duckdb.DuckDBPyConnection, mart: str) -> None:
    columns = [name for name, *_ in working.execute(f"describe {mart}").fetchall()]
    order = ", ".join(f'"{name}"' for name in columns)

    def rows(relation: str) -> list[tuple[Any, ...]]:
        return working.execute(f"select {order} from {relation} order by all").fetchall()

    on_spark = rows(f"read_parquet('{warehouse}/jishi.db/{mart}/*.parquet')")
    on_duckdb = rows(mart)
    assert len(on_duckdb) > 0
    assert [row for row in on_spark if row not in on_duckdb] == []
    assert on_spark == on_duckdb


def test_spark_builds_the_types_of_the_contract(warehouse: Path, working: duckdb.DuckDBPyConnection) -> None:
    for mart in MARTS:
        on_duckdb = {name: kind for name, kind, *_ in working.execute(f"describe {mart}").fetchall()}
        rows = working.execute(f"describe select * from read_parquet('{warehouse}/jishi.db/{mart}/*.parquet')").fetchall()
        assert {name: kind for name, kind, *_ in rows} == on_duckdb, mart
