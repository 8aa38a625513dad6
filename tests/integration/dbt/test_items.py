"""Items, price bands, pairs and returns: against plain Python over silver's rows, and by hand on a made shop."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from jishi import tables
from jishi.item_thresholds import ItemThresholds
from jishi.marts import mart_rows
from jishi.metrics import TimeRange, open_metrics
from jishi.paths import Paths
from tests.integration.dbt.rebuilt import Project
from tests.integration.dbt.test_home_money import insert, refund, shop
from tests.lake import newest

pytestmark = pytest.mark.integration
Row = dict[str, Any]
Key = tuple[str, date, str]
AMOUNTS = ("views", "adds", "viewed_visits", "paid_visits", "orders", "units", "revenue_minor", "refunded_minor")


@pytest.fixture(scope="module")
def item_days(built: Paths, silver: Any) -> dict[Key, Counter[str]]:
    """What silver's rows say of each item on each day; shares of money are those of the orders' items, tested elsewhere."""
    days: dict[Key, Counter[str]] = defaultdict(Counter)
    seen, paid = defaultdict(set), defaultdict(set)
    visit_day = {(v["shop_id"], v["anonymous_id"]): v["started_date"] for v in silver.of(tables.SILVER_SESSIONS)}
    for event in silver.of(tables.SILVER_EVENTS):
        name = {"item_viewed": "views", "item_added_to_cart": "adds"}.get(event["type"])
        if name and event["person_id"] != "bot":
            days[event["shop_id"], event["occurred_date"], event["item_id"]][name] += 1
            if name == "views":
                seen[event["shop_id"], event["anonymous_id"]].add(event["item_id"])
    lines = defaultdict(list)
    for line in silver.of(tables.SILVER_ORDER_LINES):
        lines[line["shop_id"], line["order_id"], line["item_id"]].append(line)
        paid[line["shop_id"], line["anonymous_id"]].add(line["item_id"])  # the payment is the last act of its visit
    for visit, items in seen.items():
        for item in items:
            facts = days[visit[0], visit_day[visit], item]
            facts["viewed_visits"] += 1
            facts["paid_visits"] += item in paid[visit]
    for row in mart_rows(newest(built.var), "select * from fct_order_items"):
        of_item = lines[row["shop_id"], row["order_id"], row["item_id"]]
        facts = days[row["shop_id"], of_item[0]["paid_date"], row["item_id"]]
        facts["orders"] += 1
        facts["priced"] += row["revenue_minor"] is not None
        facts["units"] += sum(line["quantity"] for line in of_item)
        facts["returned_orders"] += (row["refunded_minor"] or 0) > 0 or row["refunded_units"] > 0
        for name in ("revenue_minor", "refunded_minor"):
            facts[name] += row[name] or 0
    return days


def shown(facts: Counter[str], name: str) -> int | None:
    """A number of orders of which none has a rate is unknown where it is an amount."""
    is_unknown = name.endswith("_minor") and facts["orders"] > 0 and facts["priced"] == 0
    return None if is_unknown else facts[name]


def summed(days: dict[Key, Counter[str]], shop_id: str, length: int, last: date) -> dict[str, Counter[str]]:
    """By item, over the days up to the last one."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for (owner, day, item), facts in days.items():
        if owner == shop_id and last - timedelta(days=length) < day <= last:
            sums[item].update(facts)
    return sums


def test_item_days_are_what_silver_says(built: Paths, item_days: dict[Key, Counter[str]]) -> None:
    rows = mart_rows(newest(built.var), "select * from fct_item_days")
    assert {(r["shop_id"], r["shop_date"], r["item_id"]) for r in rows} == item_days.keys()
    for row in rows:
        facts = item_days[row["shop_id"], row["shop_date"], row["item_id"]]
        for name in (*AMOUNTS, "returned_orders"):
            assert row[name] == shown(facts, name), (name, row)
        net = None if row["revenue_minor"] is None else facts["revenue_minor"] - facts["refunded_minor"]
        assert row["net_revenue_minor"] == net
        assert row["category"] == (None if row["item_id"] == "i6" else "裙装")  # i6 is not in the catalogue
    assert sum(row["paid_visits"] for row in rows) > 5
    assert {row["revenue_minor"] is None for row in rows} == {True, False}


def test_periods_bands_and_categories_are_sums_of_days(built: Paths, item_days: dict[Key, Counter[str]]) -> None:
    lake = newest(built.var)
    last = {
        row["shop_id"]: row["d"] for row in mart_rows(lake, "select shop_id, max(shop_date) as d from fct_shop_days group by 1")
    }
    items = mart_rows(lake, "select * from fct_item_periods")
    bands = mart_rows(lake, "select * from fct_price_bands")
    categories = mart_rows(lake, "select * from fct_category_periods")
    band_of = {"i0": 1, "i1": 2, "i2": 3, "i3": 4, "i4": 5, "i5": 5, "i6": 0}  # six prices, no two alike, in five bands
    for shop_id, length in itertools.product(last, (7, 30, 90)):
        sums = summed(item_days, shop_id, length, last[shop_id])
        mine = {r["item_id"]: r for r in items if (r["shop_id"], r["period_days"]) == (shop_id, length)}
        assert mine.keys() == sums.keys()
        for item, row in mine.items():
            assert [row[name] for name in AMOUNTS] == [shown(sums[item], name) for name in AMOUNTS]
            stock = None if item == "i6" or (shop_id, item) == ("b", "i5") else int(item[1:])
            sold, seen = sums[item]["units"], sums[item]["viewed_visits"]
            assert row["sell_through_rate"] == (None if stock is None or not sold + stock else sold / (sold + stock))
            assert row["view_to_pay_rate"] == (sums[item]["paid_visits"] / seen if seen else None)
            assert row["return_rate"] == (
                sums[item]["returned_orders"] / sums[item]["orders"] if sums[item]["orders"] else None
            )
            assert row["price_band"] == band_of[item]
        for rows, column, group_of in (
            (bands, "price_band", band_of.__getitem__),
            (categories, "category", lambda item: None if item == "i6" else "裙装"),
        ):
            of_groups: dict[Any, Counter[str]] = defaultdict(Counter)
            for item, facts in sums.items():
                of_groups[group_of(item)].update(facts)
            for row in (r for r in rows if (r["shop_id"], r["period_days"]) == (shop_id, length)):
                facts = of_groups.pop(row[column], Counter())
                assert [row[name] for name in AMOUNTS] == [shown(facts, name) for name in AMOUNTS], (column, row)
            assert not of_groups
    assert [row["lowest_minor"] for row in bands if (row["shop_id"], row["period_days"], row["price_band"]) == ("a", 7, 5)] == [
        400
    ]


def test_the_rates_of_items_are_those_of_the_metric_layer(built: Paths) -> None:
    lake = newest(built.var)
    layer = open_metrics(lake)
    names = ["item_units", "item_revenue", "item_net_revenue", "return_rate", "view_to_pay_rate"]
    columns = ["units", "revenue_minor", "net_revenue_minor", "return_rate", "view_to_pay_rate"]
    for row in mart_rows(lake, "select * from fct_category_periods where shop_id = 'b' and category is not null"):
        period = f"shop_id = 'b' and period_days = {row['period_days']}"
        [bounds] = mart_rows(lake, f"select min(first_date) as f, max(last_date) as l from fct_item_periods where {period}")
        if bounds["f"] is None:  # nothing but refunds in these days
            continue
        asked = layer.rows(names, ["item_day__category"], shop_id="b", days=TimeRange(bounds["f"], bounds["l"]))
        [answer] = [each for each in asked if each["item_day__category"] == row["category"]]
        assert [answer[name] for name in names] == [row[column] for column in columns]


# ---- a shop made by hand -------------------------------------------------------------------------------------------------
S, LAST = "s", date(2026, 9, 30)
BASKETS = [("gold", "silver")] * 6 + [("gold",)] * 2 + [("silver", "tin")] * 2 + [("tin",)] * 10


def made_order(order_id: str, on: date, items: tuple[str, ...], quantity: int = 1, price: int = 100) -> str:
    at = {"shop_id": S, "order_id": order_id, "paid_at": f"{on} 10:00:00", "paid_date": on.isoformat()}
    gross = quantity * price * len(items)
    sums = {"gross_minor": gross, "discount_minor": 0, "shipping_minor": 0, "paid_minor": gross, "units": quantity * len(items)}
    head = at | sums | {"event_id": order_id, "person_id": f"p-{order_id}", "currency": "CNY", "lines": len(items)}
    lines = [
        at
        | {"item_id": item, "line_number": n, "quantity": quantity, "unit_price_minor": price, "discount_minor": 0}
        | {"net_minor": quantity * price, "person_id": head["person_id"]}
        for n, item in enumerate(items, 1)
    ]
    return insert("orders", [head | {"received_at": f"{on} 10:00:00"}]) + insert("order_lines", lines)


def made_item(item_id: str, stock: int | None, listed: date | None, status: str = "active", price: int = 100) -> str:
    item = {"shop_id": S, "item_id": item_id, "title": item_id, "category": "c", "currency": "CNY", "unit_price_minor": price}
    sql = insert("items", [item | {"status": status, "stock": stock}])
    if listed is None:
        return sql
    event = {"shop_id": S, "event_id": f"listed-{item_id}", "type": "item_changed", "item_id": item_id, "is_late": "false"}
    at = {"occurred_at": f"{listed} 09:00:00", "received_at": f"{listed} 09:00:00", "occurred_date": listed.isoformat()}
    return sql + insert("events", [event | at])


def rules_of(rules: ItemThresholds) -> str:
    names = ("shop_id", "measure", "number", "threshold")
    return insert("item_settings", [dict(zip(names, (S, *row), strict=True)) for row in rules.thresholds])


@pytest.fixture(scope="module")
def marts(built: Paths) -> Iterator[duckdb.DuckDBPyConnection]:
    """A shop of 120 days with stocks known and unknown, pairs whose lift can be counted by hand, and returns with reasons."""
    old, new = LAST - timedelta(days=100), LAST - timedelta(days=9)
    sql = shop(S, "CNY") + rules_of(ItemThresholds(restock_units_30d=60, restock_cover_days=10, price_bounds_minor=(100, 500)))
    sql += made_order("first", LAST - timedelta(days=119), ("gold",)) + made_order("last", LAST, ("gold",))
    sql += made_order("many", LAST - timedelta(days=5), ("runner", "blind", "gone"), quantity=90)
    sql += made_order("fresh", LAST - timedelta(days=1), ("fresh",), quantity=60)
    for item, stock, listed, status, price in (
        ("runner", 29, old, "active", 100),  # 90 in 30 days: 29 last 9.67 days
        ("blind", None, old, "active", 99),
        ("gone", 0, old, "inactive", 500),
        ("fresh", 59, new, "active", 501),  # 60 in the 10 days that it is there: 59 last 9.8 days
        ("shelf", 5, old, "active", 100),  # nothing sold in 60 days
        ("gold", 1000, None, "active", 100),  # nobody knows since when it is listed
        ("silver", 0, old, "active", 100),
        ("young", 5, new, "active", 100),
    ):
        sql += made_item(item, stock, listed, status, price)
    for number, items in enumerate(BASKETS):
        sql += made_order(f"b{number}", LAST - timedelta(days=70), items)
    # An order of 40 items: only the 30 of the greatest value make pairs, and these 30 come by their ids.
    many = tuple(f"x{n:02}" for n in range(40))
    sql += "".join(made_order(f"long{n}", LAST - timedelta(days=100), many) for n in range(5))
    sql += refund(S, "r1", "b0", "2026-09-29", "CNY", 100, "counted", 100) + refund(
        S, "r2", "many", "2026-09-29", "CNY", 90, "counted", 90
    )
    sql += f"update stg_lake__refunds set reason = 'too small' where shop_id = '{S}' and refund_id = 'r1';"
    line = {"shop_id": S, "refund_id": "r1", "order_id": "b0", "item_id": "gold", "quantity": 1, "amount_minor": 100}
    sql += insert("refund_lines", [line | {"outcome": "counted", "counted_minor": 100}])
    with Project.of(built.warehouse).built(sql) as connection:
        yield connection


def test_what_to_restock_and_what_lies_too_long(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select item_id, units_30d, selling_days_30d, days_of_stock, is_restock_candidate, is_slow_mover from fct_item_stock "
        "where shop_id = 's'"
    ).fetchall()
    whole, short = 29 + 10 / 24, 9 + 10 / 24  # the newest day is known until ten o'clock
    assert {row[0]: tuple(v if v is None else pytest.approx(v) for v in row[1:]) for row in rows} == {
        "runner": (90, whole, 29 * whole / 90, True, False),
        "blind": (90, whole, None, None, None),
        "gone": (90, whole, 0, False, False),
        "fresh": (60, short, 59 * short / 60, True, False),
        "shelf": (0, whole, None, False, True),
        "gold": (1, whole, 1000 * whole, False, None),
        "silver": (0, whole, None, False, False),
        "young": (0, short, None, False, False),
    }


def test_a_shops_own_bounds_make_its_price_bands(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select price_band, items, lowest_minor, highest_minor, items_sold, units from fct_price_bands "
        "where shop_id = 's' and period_days = 30 order by 1"
    ).fetchall()
    assert rows == [(1, 1, 99, 99, 1, 90), (2, 5, 100, 100, 2, 91), (3, 2, 500, 501, 2, 150)]


def test_lift_is_that_counted_by_hand(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "orders_together, orders, partner_orders, all_orders, support, confidence, lift"
    sql = f"select partner_item_id, {columns} from fct_item_pairs where shop_id = 's' and item_id = ?"
    # 6 orders hold both, 10 gold, 8 silver, of 29: (6 / 10) / (8 / 29)
    assert marts.execute(sql, ["gold"]).fetchall() == [("silver", 6, 10, 8, 29, 6 / 29, 0.6, pytest.approx(0.6 / (8 / 29)))]
    assert [row[0] for row in marts.execute(sql, ["silver"]).fetchall()] == ["gold"]
    assert marts.execute(sql, ["tin"]).fetchall() == []  # 2 orders with silver are too few to tell


def test_a_very_long_order_has_pairs_of_its_30_items_alone_and_each_has_10_partners(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select item_id, partner_item_id, partner_rank from fct_item_pairs where shop_id = 's' and item_id like 'x%'"
    ).fetchall()
    assert {row[0] for row in rows} == {f"x{n:02}" for n in range(30)}
    assert Counter(row[0] for row in rows) == dict.fromkeys((f"x{n:02}" for n in range(30)), 10)
    assert [row[1] for row in sorted(rows, key=lambda row: row[2]) if row[0] == "x03"] == [
        f"x{n:02}" for n in range(11) if n != 3
    ]


def test_returns_have_their_reasons_and_one_that_names_no_item_is_of_all(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select item_id, reason, refunds, returned_units from fct_item_return_reasons where shop_id = 's' and period_days = 7"
    ).fetchall()
    assert set(rows) == {("gold", "too small", 1, 1), *((item, None, 1, None) for item in ("runner", "blind", "gone"))}


def test_pairs_of_many_orders_are_those_of_brute_force(built: Paths) -> None:
    luck = random.Random(4)
    popular = [f"i{n}" for n in range(9)]
    baskets = [tuple(sorted(set(luck.choices(popular, weights=range(9, 0, -1), k=luck.randint(1, 5))))) for _ in range(160)]
    baskets += [("i7", "i8")] * 7
    sql = shop(S, "CNY") + "".join(made_order(f"o{n}", LAST, items) for n, items in enumerate(baskets))
    alone = Counter(item for basket in baskets for item in basket)
    both = Counter(pair for basket in baskets for pair in itertools.permutations(basket, 2))
    expected = [
        (*pair, n, n / alone[pair[0]], pytest.approx(n * len(baskets) / (alone[pair[0]] * alone[pair[1]])))
        for pair, n in both.items()
        if n >= 5 and n * len(baskets) > alone[pair[0]] * alone[pair[1]]
    ]
    with Project.of(built.warehouse).built(sql) as marts:
        rows = marts.execute(
            "select item_id, partner_item_id, orders_together, confidence, lift from fct_item_pairs where shop_id = 's'"
        ).fetchall()
    assert 4 < len(rows) < len(both)
    assert sorted(rows) == sorted(expected, key=lambda row: row[:2])
