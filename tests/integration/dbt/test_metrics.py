"""Metrics by MetricFlow on the published marts against pandas over the silver rows: a second reading of every definition."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from jishi import tables
from jishi.marts import mart_rows
from jishi.metrics import MetricLayer, MetricQueryRefused, MetricSql, TimeRange, macro, open_metrics, rollup
from jishi.paths import Paths
from jishi.pseudonyms import Pseudonyms
from jishi.settings import PROJECT_ROOT, get_settings
from ops.cli import app
from ops.notebook import names, open_kernel, publish
from tests.integration.dbt.conftest import at_home
from tests.lake import newest

pytestmark = pytest.mark.integration
KEYS = ["shop_id", "day"]
COHORT_METRICS = ("cohort_customers", "retained_customers", "retention")
SVG = r"image/svg\+xml;base64,([\w+/=]+)"


@pytest.fixture(scope="session")
def layer(built: Paths) -> MetricLayer:
    return open_metrics(newest(built.var))


@pytest.fixture(scope="session")
def expected(silver: Any) -> pd.DataFrame:
    """Every metric that has days, by shop and day, and the parts of the ratios."""
    orders = pd.DataFrame(silver.of(tables.SILVER_ORDERS)).sort_values(["paid_at", "order_id"])
    by_id = {(row["shop_id"], row["order_id"]): row for row in silver.of(tables.SILVER_ORDERS)}
    for name in ("paid_minor", "gross_minor", "discount_minor", "shipping_minor"):
        orders[name] = [at_home(row, name) for row in orders.to_dict("records")]
    refunds = pd.DataFrame(silver.of(tables.SILVER_REFUNDS))
    of_orders = [(row, by_id.get((row["shop_id"], row["order_id"]))) for row in silver.of(tables.SILVER_REFUNDS)]
    refunds["home"] = [at_home(row, "counted_minor", order) or 0 if order else 0 for row, order in of_orders]
    refunds["priced"] = [
        order is None or not row["counted_minor"] or at_home(row, "counted_minor", order) is not None
        for row, order in of_orders
    ]
    back = refunds.groupby(["shop_id", "order_id"])["home"].sum()
    orders["refunded"] = [back.get((row.shop_id, row.order_id), 0) for row in orders.itertuples()]
    orders.loc[orders["paid_minor"].isna(), "refunded"] = 0
    orders["is_repeat"] = orders.groupby(["shop_id", "person_id"]).cumcount() > 0
    orders["priced_person"] = orders["person_id"].where(orders["paid_minor"].notna())
    orders["paid_by_person"] = orders["paid_minor"].where(orders["person_id"].notna())
    sales = (
        orders.assign(day=orders["paid_date"])
        .groupby(KEYS)
        .agg(
            orders=("order_id", "size"),
            priced_orders=("paid_minor", "count"),
            gmv=("paid_minor", "sum"),
            list_value=("gross_minor", "sum"),
            discounts=("discount_minor", "sum"),
            shipping=("shipping_minor", "sum"),
            units=("units", "sum"),
            buyers=("person_id", "nunique"),
            priced_buyers=("priced_person", "nunique"),
            repeat_orders=("is_repeat", "sum"),
            gmv_of_buyers=("paid_by_person", "sum"),
            orders_of_buyers=("person_id", "count"),
            refunded_of_orders=("refunded", "sum"),
        )
    )
    returned = refunds.assign(day=refunds["refunded_date"]).groupby(KEYS)
    returned = returned.agg(refunds=("home", "sum"), refund_count=("refund_id", "size"), priced_refunds=("priced", "sum"))
    visits = pd.DataFrame(silver.of(tables.SILVER_SESSIONS))
    steps = {"viewed_sessions": "views", "cart_sessions": "adds", "checkout_sessions": "checkouts", "paid_sessions": "orders"}
    # Bots are in no number, and a payment alone is no visit.
    visits["is_visit"] = (visits["events"] > visits["orders"]) & (visits["person_id"] != "bot")
    reached = visits["person_id"] != "bot"
    for step, act in steps.items():
        reached &= visits[act] > 0
        visits[step] = reached
    visits["paying"] = (visits["orders"] > 0) & visits["is_visit"]
    visited = (
        visits.assign(day=visits["started_date"])
        .groupby(KEYS)
        .agg(
            sessions=("is_visit", "sum"),
            paying_sessions=("paying", "sum"),
            **{step: (step, "sum") for step in steps},
        )
    )
    came = acts_of_visitors(silver).assign(day=lambda acts: acts["occurred_date"]).groupby(KEYS)
    came = came.agg(visitors=("person_id", "nunique"), item_views=("type", lambda types: (types == "item_viewed").sum()))
    days = visited.join([came, sales, returned], how="outer").fillna(0)
    days["net_gmv"] = days["gmv"] - days["refunds"]
    # Where there are orders, or refunds, and none of them has an amount, what they come to is unknown.
    for amounts, of_all, priced in (
        (["gmv", "list_value", "discounts", "shipping", "refunded_of_orders"], days["orders"], days["priced_orders"]),
        (["gmv_of_buyers"], days["orders_of_buyers"], days["priced_buyers"]),
        (["refunds"], days["refund_count"], days["priced_refunds"]),
        (["net_gmv"], days["orders"] + days["refund_count"], days["priced_orders"] + days["priced_refunds"]),
    ):
        days.loc[(of_all > 0) & (priced == 0), amounts] = np.nan
    ratios = {
        **{"aov_per_order": ("gmv", "priced_orders"), "aov_per_buyer": ("gmv_of_buyers", "priced_buyers")},
        **{"units_per_order": ("units", "orders"), "discount_rate": ("discounts", "list_value")},
        **{"repeat_order_share": ("repeat_orders", "orders_of_buyers"), "conversion": ("paying_sessions", "sessions")},
        "refund_rate_by_payment_day": ("refunded_of_orders", "gmv"),
        "refund_rate_by_refund_day": ("refunds", "gmv"),
    }
    for name, (above, below) in ratios.items():
        days[name] = days[above] / days[below].where(days[below] != 0)
    return days


def acts_of_visitors(silver: Any) -> pd.DataFrame:
    """What persons who are no bots did in the storefront; a payment alone is no visit."""
    events = pd.DataFrame(silver.of(tables.SILVER_EVENTS))
    return events[(events["person_id"] != "bot") & (events["type"] != "order_paid")]


def answer(layer: MetricLayer, names: list[str], **question: Any) -> pd.DataFrame:
    rows = pd.DataFrame(layer.rows(names, ["metric_time__day"], **question))
    rows["day"] = pd.to_datetime(rows["metric_time__day"]).dt.date
    return rows.rename(columns={"shop": "shop_id"}).set_index(KEYS)[names].astype(float).sort_index()


def test_every_metric_of_days_is_what_pandas_makes_of_silver(layer: MetricLayer, expected: pd.DataFrame) -> None:
    names = sorted(expected.columns)
    without_days = {"customers", "customer_orders", "customer_spend", "spend_per_customer", "orders_per_customer"}
    without_days |= {"priced_customers"}
    without_days |= {"days_since_last_order", "expected_customer_value"}
    without_days |= {f"{period}_{what}" for period in ("weekly", "monthly") for what in COHORT_METRICS}
    without_days |= {"monthly_cohort_revenue", "monthly_cohort_revenue_per_customer"}
    looking_back = {"customers_30d", "repeat_customers_30d", "customers_of_known_30d", "repurchase_rate_30d"}
    # Of items and recommendations: test_items.py, test_recommendations.py.
    others = {name for name in layer.metrics if "item_" in name or name.startswith("recommendation_")} - {"item_views"}
    others |= {"return_rate", "view_to_pay_rate", "page_views"}  # the last: below
    others |= {name for name in layer.metrics if name.startswith("category_")}  # below
    # Of channels: test_attribution.py.
    others |= {name for name in layer.metrics if name.startswith(("attribut", "credited_"))}
    others |= {"spend", "compared_spend", "channel_spend", "roas", "roi", "acquisition_cost"}
    assert set(layer.metrics) - set(names) == without_days | looking_back | others
    values = answer(layer, names)
    assert len(values) > 60
    pd.testing.assert_frame_equal(values, expected[names].astype(float).sort_index(), check_index_type=False)


def test_page_views_are_unknown_until_the_shop_tells_its_first(layer: MetricLayer, silver: Any) -> None:
    """Shop a tells its pages from a day on, of which a day without one has 0; shop b tells none, which is not 0."""
    acts = acts_of_visitors(silver)
    of_day = acts[acts["type"] == "page_viewed"].groupby(["shop_id", "occurred_date"]).size().to_dict()
    first = min(day for _, day in of_day)
    rows = layer.rows(["page_views", "orders"], ["metric_time__day"])
    for row in rows:
        day = row["metric_time__day"].date()
        known = of_day.get((row["shop"], day), 0) if row["shop"] == "a" and day >= first else None
        assert row["page_views"] == known, row
        assert row["orders"] is not None
    assert {row["page_views"] is None for row in rows if row["shop"] == "a"} == {True, False}
    assert 0 in {row["page_views"] for row in rows}
    whole = {row["shop"]: row["page_views"] for row in layer.rows(["page_views"])}
    assert whole == {"a": sum(of_day.values()), "b": None}


def test_visits_of_a_category_are_those_that_saw_an_item_of_it(layer: MetricLayer, silver: Any) -> None:
    """A device is one visit's alone in these shops; one item is in no catalogue. The steps after that: test_funnel.py."""
    category_of = {(item["shop_id"], item["item_id"]): item["category"] for item in silver.of(tables.SILVER_ITEMS)}
    saw: dict[tuple[str, str | None], set[str]] = {}
    for act in acts_of_visitors(silver).to_dict("records"):
        if act["type"] == "item_viewed":
            category = category_of.get((act["shop_id"], act["item_id"]))
            saw.setdefault((act["shop_id"], category), set()).add(act["anonymous_id"])
    names = [f"category_{step}_sessions" for step in ("viewed", "cart", "checkout", "paid")]
    rows = layer.rows([*names, "category_conversion"], ["visit_category__category"])
    viewed = {(row["shop"], row["visit_category__category"]): row["category_viewed_sessions"] for row in rows}
    assert viewed == {key: len(devices) for key, devices in saw.items()}
    assert {category for _, category in viewed} == {"裙装", None}
    for row in rows:
        steps = [row[name] for name in names]
        assert steps == sorted(steps, reverse=True)
        assert row["category_conversion"] == pytest.approx(steps[-1] / steps[0])
    # Superset's rows are by day; a visit begins on one.
    dataset = yaml.safe_load((PROJECT_ROOT / "dashboard/board/datasets/jishi_marts/category_funnel.yaml").read_text())
    shown = ", ".join(f"{each['expression']} as {each['metric_name']}" for each in dataset["metrics"])
    on_board = mart_rows(layer.lake, f"select shop_id, category, {shown} from ({dataset['sql']}) group by all")
    named = {(row["shop"], row["visit_category__category"] or "not in the catalogue 不在目录"): row for row in rows}
    assert {(row["shop_id"], row["category"]) for row in on_board} == named.keys()
    for row in on_board:
        of_layer = named[row["shop_id"], row["category"]]
        assert {name: row[name] for name in (*names, "category_conversion")} == {
            name: of_layer[name] for name in (*names, "category_conversion")
        }


def test_a_month_is_no_sum_of_days_where_persons_come_again(layer: MetricLayer, silver: Any) -> None:
    acts = acts_of_visitors(silver)
    acts = acts.assign(month=pd.to_datetime(acts["occurred_date"]).dt.to_period("M").dt.start_time)
    wanted = acts.groupby(["shop_id", "month"])["person_id"].nunique()
    rows = layer.rows(["visitors"], ["metric_time__month"])
    assert {(row["shop"], row["metric_time__month"]): row["visitors"] for row in rows} == wanted.to_dict()
    [september] = [n for (shop, month), n in wanted.items() if shop == "a" and month.month == 9]
    assert sum(row["visitors"] for row in layer.rows(["visitors"], ["metric_time__day"], shop_id="a")) > september


def test_repurchase_of_a_period_is_that_of_its_last_day(layer: MetricLayer, silver: Any) -> None:
    orders = pd.DataFrame(silver.of(tables.SILVER_ORDERS)).query("shop_id == 'b'")
    back = pd.DataFrame(silver.of(tables.SILVER_REFUNDS)).query("shop_id == 'b'").groupby("order_id")["counted_minor"].sum()
    orders = orders[orders["order_id"].map(back).fillna(0) < orders["paid_minor"]]  # not those that were given back
    last = date(2026, 9, 30)
    names = ["repeat_customers_30d", "customers_30d", "repurchase_rate_30d"]
    [row] = layer.rows(names, ["metric_time__month"], shop_id="b", days=TimeRange(until=last))
    day = max(
        day["metric_time__day"]
        for day in layer.rows(["customers_30d"], ["metric_time__day"], shop_id="b", days=TimeRange(until=last))
    )
    age = (day.date() - orders["paid_date"]).map(lambda past: past.days)
    counts = orders[(age >= 0) & (age < 30)]["person_id"].value_counts()
    assert [row[name] for name in names] == [(counts > 1).sum(), len(counts), (counts > 1).mean()]


def test_customers_by_segment(layer: MetricLayer, silver: Any) -> None:
    orders = pd.DataFrame(silver.of(tables.SILVER_ORDERS))
    rows = layer.rows(["customers", "customer_orders", "orders_per_customer"], ["customer__segment"])
    for shop_id, of_shop in orders.groupby("shop_id"):
        mine = [row for row in rows if row["shop"] == shop_id]
        assert len(mine) > 1
        assert sum(row["customers"] for row in mine) == of_shop["person_id"].nunique()
        assert sum(row["customer_orders"] for row in mine) == len(of_shop)
        assert all(row["orders_per_customer"] == row["customer_orders"] / row["customers"] for row in mine)
    dated = pd.DataFrame(mart_rows(layer.lake, "from dim_customers")).groupby("shop_id")["recency_days"].mean()
    assert {row["shop"]: row["days_since_last_order"] for row in layer.rows(["days_since_last_order"])} == pytest.approx(
        dated.to_dict()
    )
    by_segment = layer.rows(["gmv"], ["customer__segment"], shop_id="b")
    assert sum(row["gmv"] for row in by_segment) == orders.query("shop_id == 'b'")["paid_minor"].sum()


def test_retention_is_over_all_cohorts_whose_period_is_over(layer: MetricLayer) -> None:
    cohorts = pd.DataFrame(mart_rows(layer.lake, "from fct_cohorts")).dropna(subset=["active_customers"])
    for period in ("week", "month"):
        kept = (
            cohorts[cohorts["period"] == period].groupby(["shop_id", "period_number"])[["active_customers", "customers"]].sum()
        )
        wanted = (kept["active_customers"] / kept["customers"]).to_dict()
        rows = layer.rows([f"{period}ly_retention"], ["cohort__period_number"])
        answered = {(row["shop"], int(row["cohort__period_number"])): row[f"{period}ly_retention"] for row in rows}
        assert {key: value for key, value in answered.items() if value is not None} == pytest.approx(wanted)
        assert any(0 < share < 1 for share in wanted.values())


def test_shops_with_equal_ids_keep_their_numbers_apart(layer: MetricLayer, expected: pd.DataFrame) -> None:
    """Both shops name their persons alike; a question about one must not see the other's."""
    names = ["buyers", "visitors", "gmv", "orders"]
    for shop_id in ("a", "b"):
        values = answer(layer, names, shop_id=shop_id)
        wanted = expected.loc[[shop_id], names].astype(float).sort_index()
        wanted = wanted[wanted.any(axis=1)]  # refunds alone make no row of these
        pd.testing.assert_frame_equal(values, wanted, check_index_type=False)


def test_days_of_a_question_are_included(layer: MetricLayer, expected: pd.DataFrame) -> None:
    first, last = date(2026, 9, 5), date(2026, 9, 9)
    values = answer(layer, ["orders"], shop_id="b", days=TimeRange(first, last))
    days = expected.loc["b"]
    wanted = days[(days.index >= first) & (days.index <= last) & (days["orders"] > 0)]["orders"]
    assert values.loc["b"]["orders"].to_dict() == wanted.astype(float).to_dict()


def test_the_boards_tables_hold_their_saved_queries(built: Paths, expected: pd.DataFrame, layer: MetricLayer) -> None:
    with duckdb.connect(str(built.marts), read_only=True) as marts:
        days = marts.sql("from board_days").df()
        days = days.assign(day=days["metric_time__day"].dt.date).rename(columns={"shop": "shop_id"}).set_index(KEYS)
        names = ["visitors", "orders", "gmv", "refunds", "net_gmv", "sessions", "paying_sessions"]
        pd.testing.assert_frame_equal(
            days[names].astype(float).sort_index(), expected[names].astype(float).sort_index(), check_index_type=False
        )
        funnel = marts.sql(
            "select sum(viewed_sessions), sum(cart_sessions), sum(checkout_sessions), sum(paid_sessions) from board_funnel"
        )
        steps = funnel.fetchone() or ()
        assert list(steps) == [
            int(expected[name].sum()) for name in ("viewed_sessions", "cart_sessions", "checkout_sessions", "paid_sessions")
        ]
        assert all(np.greater_equal(*pair) for pair in pairwise(steps))


def test_rows_of_a_saved_query_roll_up_to_the_metric(built: Paths, layer: MetricLayer) -> None:
    """What Superset makes of days is what the layer says of the months; what does not add up is null and never wrong."""
    names = ["net_gmv", "conversion", "aov_per_order"]
    day = "metric_time__day"
    columns = ", ".join(f"{rollup(name, layer.metrics, day)} as {name}" for name in [*names, "visitors"])
    month = f"date_trunc('month', {day})::timestamp"
    with duckdb.connect(str(built.marts), read_only=True) as marts:
        rolled = marts.sql(
            f"select shop, {month} as metric_time__month, count(*) as days, {columns} from board_days group by all order by all"
        ).df()
    wanted = pd.DataFrame(layer.rows(names, ["metric_time__month"]))
    pd.testing.assert_frame_equal(rolled[names].astype(float), wanted[names].astype(float))
    assert rolled.loc[rolled["days"] > 1, "visitors"].isna().all()
    assert (rolled["days"] > 1).sum() > 2
    with pytest.raises(ValueError, match="buyers does not add up"):
        rollup("buyers", layer.metrics)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"metrics": ["gmw"]}, "there is no metric 'gmw', perhaps 'gmv'"),
        (
            {"metrics": ["gmv"], "by": ["visit__device"]},
            "^gmv cannot be asked by 'visit__device'; known: customer__classic_segment",
        ),
        ({"metrics": ["gmv"], "where": ["{{ nonsense }}"]}, "nonsense"),
        ({"metrics": ["gmv"], "shop_id": "{{ 1 }}"}, "the sign of a template"),
        ({"metrics": ["gmv"], "order": ["orders"]}, "no column 'orders' to order by"),
    ],
)
def test_a_question_that_has_no_answer_says_why(layer: MetricLayer, question: dict[str, Any], message: str) -> None:
    with pytest.raises(MetricQueryRefused, match=message):
        layer.sql.select(**question)


def test_the_command_prints_what_the_layer_answers(built: Paths, layer: MetricLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JISHI_VAR", str(built.var))
    get_settings.cache_clear()
    runner = CliRunner()
    definitions = json.loads(runner.invoke(app, ["metrics", "list", "--json"]).output)
    assert [metric["name"] for metric in definitions] == sorted(layer.metrics)
    [conversion] = [metric for metric in definitions if metric["name"] == "conversion"]
    assert conversion["label"] == {"en": "Conversion", "zh": "支付转化率"}
    assert conversion["formula"] == "paying_sessions / sessions"
    arguments = ["metrics", "query", "gmv", "conversion", "--by", "metric_time__month", "--shop", "b"]
    exact = [json.loads(line) for line in runner.invoke(app, [*arguments, "--format", "json"]).output.splitlines()]
    rows = layer.rows(["gmv", "conversion"], ["metric_time__month"], shop_id="b")
    assert exact == json.loads(json.dumps(rows, default=str))
    shown = runner.invoke(app, arguments).output
    assert f"{int(rows[0]['gmv']) / 10**2:,.2f} CNY" in shown
    sql = runner.invoke(app, [*arguments, "--sql"]).output
    assert "fct_orders" in sql
    refused = runner.invoke(app, ["metrics", "query", "gmw"], env={"COLUMNS": "200"})
    assert (refused.exit_code, "perhaps 'gmv'" in refused.output) == (2, True)
    get_settings.cache_clear()


def test_every_metric_is_a_macro(built: Paths, layer: MetricLayer) -> None:
    """A macro with its arguments answers what MetricFlow's own SQL of that shop and those days does."""
    days, of_all = TimeRange(date(2026, 9, 10), date(2026, 10, 3)), TimeRange()
    questions = [(name, "a", days) for name in layer.metrics]
    # A sum, a difference, a ratio, and what counts on the last day only: by day too, with open ends, of a shop that is none.
    for name in ("orders", "net_gmv", "conversion", "repurchase_rate_30d"):
        questions += [(f"{name}_by_day", "a", days), (name, "a", of_all), (name, "a", TimeRange(until=days.until))]
        questions += [(name, "no such shop's", days)]
    placed, answered = MetricSql(manifest_of(built), "marts"), 0
    with duckdb.connect() as connection:
        connection.execute(f"attach '{newest(built.var).marts}' as marts (read_only)")
        for called, shop_id, asked in questions:
            connection.execute(macro(called, placed))
            answer = connection.execute(f"from {called}(?, ?, ?)", [shop_id, asked.since, asked.until]).fetchall()
            by = (["metric_time__day"],) if called.endswith("_by_day") else ()
            rows = layer.rows([called.removesuffix("_by_day")], *by, shop_id=shop_id, days=asked)
            assert answer == [tuple(row.values()) for row in rows], (called, shop_id, asked)
            answered += bool(answer)
        assert (
            connection.execute("from orders('a')").fetchall() == connection.execute("from orders('a', null, null)").fetchall()
        )


def test_sql_calls_metrics_by_name(built: Paths, layer: MetricLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an argument, in a pipe and at the prompt, beside tables, and nothing else gets through."""
    monkeypatch.setenv("JISHI_VAR", str(built.var))
    get_settings.cache_clear()
    runner = CliRunner()
    query = "select sum(net_gmv)::bigint as net, (select orders from orders('b')) as n from net_gmv_by_day('b')"
    [whole] = layer.rows(["net_gmv", "orders"], shop_id="b")
    for answered in (
        runner.invoke(app, ["sql", query, "--format", "json"]),
        runner.invoke(app, ["sql", "--format", "json"], query),
    ):
        assert json.loads(answered.output) == {"net": whole["net_gmv"], "n": whole["orders"]}
    typed = iter(["select * from", "orders('b');", "drop table marts.fct_orders;", "select nothing;", "", "select 6 * 7 as n;"])
    monkeypatch.setattr("builtins.input", lambda prompt: next_line(typed))
    monkeypatch.setattr("ops.cli.sql.is_at_a_terminal", lambda: True)
    dialogue = runner.invoke(app, ["sql", "--format", "json"])
    assert dialogue.exit_code == 0
    assert json.dumps({"shop": "b", "orders": whole["orders"]}) in dialogue.output
    assert "write one SELECT" in dialogue.output
    assert 'column "nothing" was not found' in dialogue.output
    assert dialogue.output.rstrip().endswith('{"n": 42}')
    get_settings.cache_clear()


def next_line(typed: Iterator[str]) -> str:
    """A line as ``input`` gives it, at the end as Ctrl-D does."""
    for line in typed:
        return line
    raise EOFError


def manifest_of(built: Paths) -> dict[str, Any]:
    [build] = mart_rows(newest(built.var), "select semantic_manifest from build")
    manifest: dict[str, Any] = json.loads(build["semantic_manifest"])
    return manifest


def test_notebooks_show_what_the_layer_answers(built: Paths, layer: MetricLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every notebook about a shop runs on the marts as dbt builds them, and shows metrics and no person."""
    monkeypatch.setenv("JISHI_VAR", str(built.var))
    with open_kernel() as kernel:
        parameters = {"shop_id": "a", "since": "2026-09-10", "until": "2026-10-03"}
        pages = {name: publish(built, name, parameters, kernel).read_text() for name in names("since")}
        assert "Days since the last order" in publish(built, "shop_overview", {"shop_id": "a"}, kernel).read_text()
    drawn = {
        name: re.findall(r">([^<>]+)</text>", "".join(b64decode(data).decode() for data in re.findall(SVG, page)))
        for name, page in pages.items()
    }
    [reached] = layer.rows(["sessions", "paid_sessions"], shop_id="a", days=TimeRange(date(2026, 9, 10), date(2026, 10, 3)))
    assert {f"{reached['sessions']:,}", f"{reached['paid_sessions']:,}"} <= set(drawn["funnel_and_cohorts"])
    weeks = mart_rows(layer.lake, "select retention from fct_cohorts where shop_id = 'a' and period = 'week' and is_over")
    assert {f"{row['retention']:.0%}" for row in weeks[-20:]} <= set(drawn["funnel_and_cohorts"])
    [value] = mart_rows(layer.lake, "select person_id from fct_customer_values where shop_id = 'a'")
    shown = Pseudonyms.of(built, "a").person(value["person_id"])
    assert shown in drawn["rfm_and_lifetime_value"]
    person = value["person_id"]
    assert [name for name, texts in drawn.items() if person in texts or f">{person}<" in pages[name]] == []
