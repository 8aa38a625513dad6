"""Column lineage through models as dbt writes them: renamed, computed, joined, unioned, by star; and of this project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops import lineage_page
from ops.column_lineage import ColumnLineage, LineageFailed, TableColumn

SOURCES = {"orders": ["shop_id", "order_id", "paid_minor", "currency"], "refunds": ["shop_id", "order_id", "amount_minor"]}
MODELS = {
    "stg_lake__orders": """
        with source as (select * from "db"."silver"."orders") select shop_id, order_id, paid_minor from source""",
    "int_refunds_summed": """
        select shop_id, order_id, sum(amount_minor) as refunded_minor, count(*) as refunds
        from "db"."silver"."refunds" group by shop_id, order_id""",
    "fct_orders": """
        with orders as (select * from "db"."main"."stg_lake__orders"),
        refunds as (select * from "db"."main"."int_refunds_summed"),
        joined as (
            select orders.*, refunds.refunds, orders.paid_minor - coalesce(refunds.refunded_minor, 0) as net_minor
            from orders left join refunds on orders.shop_id = refunds.shop_id and orders.order_id = refunds.order_id
        )
        select * from joined""",
    "fct_shop_days": """
        with orders as (select shop_id, net_minor as amount from "db"."main"."fct_orders"),
        both as (select shop_id, amount from orders union all select shop_id, -amount_minor from "db"."silver"."refunds")
        select shop_id, sum(amount) as net_minor, 'day' as grain from both group by shop_id""",
}


def node(name: str) -> dict[str, Any]:
    parents = [f"model.{other}" for other in MODELS if f'"main"."{other}"' in MODELS[name]]
    return {"name": name, "resource_type": "model", "compiled_code": MODELS[name], "depends_on": {"nodes": parents}}


@pytest.fixture(scope="module")
def graph() -> ColumnLineage:
    """The models in the worst order, with a test among them."""
    nodes = {f"model.{name}": node(name) for name in reversed(MODELS)}
    return ColumnLineage({"nodes": nodes | {"test.x": {"name": "x", "resource_type": "test"}}}, SOURCES)


@pytest.mark.parametrize(
    ("column", "origins"),
    [
        ("stg_lake__orders.paid_minor", ["silver.orders.paid_minor"]),
        ("fct_orders.order_id", ["silver.orders.order_id"]),
        ("fct_orders.net_minor", ["silver.orders.paid_minor", "silver.refunds.amount_minor"]),
        ("fct_orders.refunds", []),  # counts rows
        ("fct_shop_days.net_minor", ["silver.orders.paid_minor", "silver.refunds.amount_minor"]),
        ("fct_shop_days.shop_id", ["silver.orders.shop_id", "silver.refunds.shop_id"]),
        ("fct_shop_days.grain", []),
    ],
)
def test_a_column_leads_to_what_its_value_is_made_of(graph: ColumnLineage, column: str, origins: list[str]) -> None:
    assert list(map(str, graph.origins(TableColumn(*column.split("."))))) == origins


def test_a_source_leads_to_all_that_uses_it(graph: ColumnLineage) -> None:
    used = list(map(str, graph.uses(TableColumn("silver.refunds", "amount_minor"))))
    assert used == ["fct_orders.net_minor", "fct_shop_days.net_minor", "int_refunds_summed.refunded_minor"]
    assert graph.uses(TableColumn("silver.orders", "currency")) == []


def test_what_does_not_exist_is_named(graph: ColumnLineage) -> None:
    with pytest.raises(LineageFailed, match=r"fct_orders has no column 'x'; it has shop_id, order_id"):
        graph.of(TableColumn("fct_orders", "x"))
    with pytest.raises(LineageFailed, match="no table 'orders'; known: fct_orders"):
        graph.of(TableColumn("orders", "x"))


def test_the_page_shows_the_project(parsed_project: Path) -> None:
    manifest = json.loads((parsed_project / "manifest.json").read_text())
    assert lineage_page.PAGE.read_text() == lineage_page.render(manifest), "run make docs"
    assert "  orders --> marts_orders{{orders}}\n" in lineage_page.render(manifest)
