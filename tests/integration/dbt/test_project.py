"""The dbt project: its own unit tests, sources with freshness, and a broken input that publishes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jishi import tables
from jishi.lake import TableNotPublished
from jishi.marts import open_marts
from jishi.paths import Paths
from ops import marts
from tests.lake import newest, settings_in

pytestmark = pytest.mark.integration


def manifest(paths: Paths) -> dict[str, Any]:
    return json.loads((paths.warehouse / "target" / "manifest.json").read_text())


def test_the_unit_tests_of_the_models_pass(built: Paths) -> None:
    environment = marts.dbt_environment(built, built.warehouse / "silver", built.warehouse / "build.duckdb")
    environment["DBT_TARGET_PATH"] = str(built.warehouse / "target-of-unit-tests")
    done = marts.run_dbt(["test", "--select", "test_type:unit"], environment)
    assert done.returncode == 0, done.stdout[-3000:]
    results = json.loads((built.warehouse / "target-of-unit-tests" / "run_results.json").read_text())["results"]
    by_key = {
        result["unique_id"].rsplit(".", 1)[1]: result["status"] for result in results if "unit_test" in result["unique_id"]
    }
    assert by_key == {
        "a_step_counts_only_after_all_before_it": "pass",
        "an_order_is_net_of_all_its_refunds": "pass",
        "equal_customers_get_equal_scores": "pass",
        "refunds_count_on_their_own_day_and_repurchase_looks_back_30_days": "pass",
    }


def test_sources_declare_freshness(built: Paths) -> None:
    by_key = {
        node["name"]: (node["loaded_at_field"], node["freshness"]["warn_after"])
        for node in manifest(built)["sources"].values()
        if node["freshness"] and node["freshness"]["warn_after"]["count"]
    }
    wanted = ("received_at", {"count": 36, "period": "hour"})
    assert by_key == {"events": wanted, "orders": wanted}


def test_every_mart_has_a_contract_a_grain_and_a_key(built: Paths) -> None:
    nodes = manifest(built)["nodes"].values()
    by_key = {node["name"]: node for node in nodes if node["resource_type"] == "model" and "marts" in node["fqn"]}
    assert set(by_key) == {*marts.PUBLISHED, *marts.EXPORTED}
    keyed = {node["attached_node"] for node in nodes if node.get("test_metadata", {}) and node["name"].startswith("unique_key")}
    for name, node in by_key.items():
        assert node["contract"]["enforced"], name
        assert node["description"], name
        assert node["unique_id"] in keyed, name


def test_each_silver_table_that_is_read_has_its_declared_columns(built: Paths) -> None:
    """A snapshot of a table without rows must look like one with rows."""
    import duckdb

    with duckdb.connect() as connection:
        for schema in tables.SILVER:
            pattern = built.warehouse / "silver" / schema.name.removeprefix("silver/") / "**" / "*.parquet"
            sql = f"describe select * from read_parquet('{pattern}', hive_partitioning = false)"
            assert [row[0] for row in connection.execute(sql).fetchall()] == list(schema.columns), schema.name


def test_a_broken_input_fails_the_build_and_readers_keep_the_old_marts(paths: Paths, silver: Any) -> None:
    paths.marts.parent.mkdir(parents=True, exist_ok=True)
    paths.marts.write_bytes(b"the marts of yesterday")
    orders = silver.of(tables.SILVER_ORDERS)
    silver.publish(paths.var, {tables.SILVER_ORDERS: [*orders, orders[0]]})
    with pytest.raises(marts.BuildFailed, match="unique_key_stg_lake__orders"):
        marts.build(settings_in(paths.var), lambda line: None)
    assert paths.marts.read_bytes() == b"the marts of yesterday"
    assert not any(newest(paths.var).has(table) for table in marts.EXPORTED.values())


def test_without_silver_the_step_that_makes_it_is_named(paths: Paths) -> None:
    with pytest.raises(TableNotPublished, match="spark_jobs silver"):
        marts.build(settings_in(paths.var), lambda line: None)
    with pytest.raises(TableNotPublished, match=r"ops\.marts build"):
        open_marts(newest(paths.var))
