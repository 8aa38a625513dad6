"""Each planted fault is stopped by the dbt tests that are named for it, before anything is published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jishi import tables
from jishi.paths import Paths
from ops import dbt, marts
from tests.integration.dbt.attribution_faults import ATTRIBUTION_FAULTS
from tests.integration.dbt.conftest import Silver
from tests.integration.dbt.customer_faults import CUSTOMER_FAULTS
from tests.integration.dbt.day_faults import DAY_FAULTS
from tests.integration.dbt.item_faults import ITEM_FAULTS
from tests.integration.dbt.model_faults import MODEL_FAULTS, ModelFault
from tests.integration.dbt.rebuilt import Project
from tests.integration.dbt.row_faults import ROW_FAULTS, RowFault
from tests.lake import newest, record, settings_in

pytestmark = pytest.mark.integration
ALL_MODEL_FAULTS = (*MODEL_FAULTS, *CUSTOMER_FAULTS, *DAY_FAULTS, *ITEM_FAULTS, *ATTRIBUTION_FAULTS)


@pytest.fixture(scope="module")
def project(built: Paths) -> Project:
    return Project.of(built.warehouse)


def test_without_a_fault_no_test_fails(project: Project) -> None:
    assert project.failing_tests() == {}


@pytest.mark.parametrize("fault", ROW_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_the_rows_is_stopped_and_no_other_shop_is_named(project: Project, fault: RowFault) -> None:
    failing = project.failing_tests(rows=fault.sql)
    assert fault.caught_by <= failing.keys()
    assert set.union(*failing.values()) <= {"a", None}


@pytest.mark.parametrize("fault", ALL_MODEL_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_a_model_is_stopped(project: Project, fault: ModelFault) -> None:
    written = project.sql_of(fault.model)
    assert fault.before in written, f"{fault.model} no longer says {fault.before!r}; plant the fault anew"
    assert fault.caught_by <= project.failing_tests(sql={fault.model: written.replace(fault.before, fault.after)}).keys()


def test_every_test_between_tables_stops_some_fault(project: Project) -> None:
    singular = {node["name"] for node in project.tests if not node.get("test_metadata")}
    assert {"orders_equal_their_lines", "days_equal_orders"} <= singular
    assert singular <= {test for fault in (*ROW_FAULTS, *ALL_MODEL_FAULTS) for test in fault.caught_by}


def test_a_stopped_build_publishes_nothing(paths: Paths, silver: Silver) -> None:
    orders = [row | {"paid_minor": row["paid_minor"] * 100} for row in silver.of(tables.SILVER_ORDERS)]
    record(paths.var, silver.rows | {tables.SILVER_ORDERS: orders})
    with pytest.raises(marts.BuildFailed, match="orders_as_they_came_equal_their_lines"):
        marts.build(settings_in(paths.var), lambda line: None)
    assert newest(paths.var).marts is None
    assert not paths.marts_files.exists()


def test_a_fault_in_the_sql_stops_a_build_too(
    paths: Paths, silver: Silver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "dbt"
    shutil.copytree(dbt.DBT, copied, ignore=shutil.ignore_patterns("target", "logs"))
    model = copied / "models" / "intermediate" / "int_refunds_summed.sql"
    model.write_text(
        model.read_text().replace("{{ sum_minor('counted_minor') }}", "cast(max(counted_minor) as decimal(38, 0))")
    )
    monkeypatch.setattr(dbt, "DBT", copied)
    record(paths.var, silver.rows)
    with pytest.raises(marts.BuildFailed, match="refunds_equal_days_and_orders"):
        marts.build(settings_in(paths.var), lambda line: None)
    assert newest(paths.var).marts is None
    assert not paths.marts_files.exists()
