"""The dbt project: its own unit tests, sources with freshness, and a broken input that publishes nothing."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from jishi import tables
from jishi.lake import TableNotPublished
from jishi.lake.catalog import identifier
from jishi.marts import EXPORTED, open_marts
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from ops import marts
from ops.dbt import dbt_environment
from ops.dbt_process import run_dbt
from ops.marts_file import PUBLISHED
from tests.lake import newest, settings_in

pytestmark = pytest.mark.integration


def manifest(paths: Paths) -> dict[str, Any]:
    return json.loads((paths.warehouse / "target" / "manifest.json").read_text())


def test_the_unit_tests_of_the_models_pass(built: Paths) -> None:
    environment = dbt_environment(settings_in(built.var), marts.work_database(built))
    environment["DBT_TARGET_PATH"] = str(built.warehouse / "target-of-unit-tests")
    done = run_dbt(["test", "--select", "test_type:unit"], environment)
    assert done.returncode == 0, done.stdout[-3000:]
    results = json.loads((built.warehouse / "target-of-unit-tests" / "run_results.json").read_text())["results"]
    by_key = {
        result["unique_id"].rsplit(".", 1)[1]: result["status"] for result in results if "unit_test" in result["unique_id"]
    }
    assert len(by_key) >= 8
    assert set(by_key.values()) == {"pass"}, by_key


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
    assert set(by_key) == {*PUBLISHED, *EXPORTED}
    keyed = {node["attached_node"] for node in nodes if node.get("test_metadata", {}) and node["name"].startswith("unique_key")}
    for name, node in by_key.items():
        assert node["contract"]["enforced"], name
        assert node["description"], name
        assert node["unique_id"] in keyed, name


def test_each_silver_table_that_is_read_has_its_declared_columns(working: duckdb.DuckDBPyConnection) -> None:
    """A source without rows must look like one with rows."""
    for schema in tables.SILVER:
        assert working.sql(f"from {identifier(schema.name)}").columns == list(schema.columns), schema.name


def test_a_broken_input_fails_the_build_and_readers_keep_the_old_marts(paths: Paths, silver: Any) -> None:
    orders = silver.of(tables.SILVER_ORDERS)
    silver.publish(paths.var, {tables.SILVER_ORDERS: [*orders, orders[0]]})
    with pytest.raises(marts.BuildFailed, match="unique_key_stg_lake__orders"):
        marts.build(settings_in(paths.var), lambda line: None)
    assert newest(paths.var).number == 1
    assert not paths.marts_files.exists()
    assert not paths.marts.is_symlink()


def test_marts_stay_until_silver_or_the_shops_change(built: Paths, silver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night on which no shop's silver could be published leaves the marts of the version before."""

    class BuildStarted(RuntimeError):
        pass

    def started(*arguments: Any, **options: Any) -> None:
        raise BuildStarted

    monkeypatch.setattr(marts, "_built", started)
    settings, version, lines = settings_in(built.var), newest(built.var).number, list[str]()
    marts.build(settings, lines.append)
    assert newest(built.var).number == version
    assert "they stay" in lines[0]
    with pytest.raises(BuildStarted):
        marts.build(settings, lines.append, again=True)
    before = built.shops_file.read_bytes()
    with Shops.edit(built.shops_file) as shops:
        shops.add(Shop(shop_id="c", name="C"))
    with pytest.raises(BuildStarted):
        marts.build(settings, lines.append)
    built.shops_file.write_bytes(before)


def test_without_silver_the_step_that_makes_it_is_named(paths: Paths) -> None:
    with pytest.raises(TableNotPublished, match="spark_jobs silver"):
        marts.build(settings_in(paths.var), lambda line: None)
    with pytest.raises(TableNotPublished, match=r"ops\.marts build"):
        open_marts(newest(paths.var))
