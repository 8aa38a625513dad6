"""Money of several currencies in the marts: stamps, corrected rates, digits, and sums beyond 64 bits."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
import yaml

from jishi.contract import record_of
from jishi.contract.home_money import ShopMoney
from jishi.fx_rates import FxRate, FxRates, units_and_scale
from jishi.metrics import MetricSql
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from tests.integration.dbt.rebuilt import Project

pytestmark = pytest.mark.integration
MOST = 2**53 - 1


@pytest.fixture(scope="module")
def project(built: Paths) -> Project:
    return Project.of(built.warehouse)


def insert(table: str, rows: Sequence[dict[str, Any]]) -> str:
    """One statement that adds rows to a staging model; columns that a row does not name are null."""
    names = list(rows[0])
    values = ", ".join("(" + ", ".join(_literal(row[name]) for name in names) + ")" for row in rows)
    return f"insert into stg_lake__{table} by name select * from (values {values}) as new({', '.join(names)});"


def _literal(value: Any) -> str:
    return "null" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


def shop(shop_id: str, currency: str) -> str:
    return insert("shops", [{"shop_id": shop_id, "name": shop_id, "time_zone": "UTC", "currency": currency}])


def rates(shop_id: str, home: str, *known: tuple[str, str, str]) -> str:
    rows = []
    for currency, on, rate in known:
        units, scale = units_and_scale(Decimal(rate))
        facts = {"shop_id": shop_id, "home_currency": home, "currency": currency, "rate_date": on}
        rows.append(facts | {"rate_units": units, "rate_scale": scale})
    return insert("fx_rates", rows)


def order(shop_id: str, order_id: str, on: str, currency: str, lines: list[int], **more: Any) -> str:
    """An order of lines of one piece; ``more`` has shipping, discount and stamp, ``at_home`` what its one line is at home."""
    at = {"paid_at": f"{on} 10:00:00", "received_at": f"{on} 10:00:00", "paid_date": on}
    shipping, discount, at_home = more.pop("shipping", 0), more.pop("discount", 0), more.pop("at_home", None)
    person = {"shop_id": shop_id, "order_id": order_id}
    stamp_of_line = {"home_gross_minor": at_home, "home_discount_minor": 0, "home_net_minor": at_home}
    more |= {"home_gross_minor": at_home, "home_paid_minor": at_home}
    paid = sum(lines) + shipping - discount
    sums = {"gross_minor": sum(lines), "discount_minor": discount, "shipping_minor": shipping, "paid_minor": paid}
    head = person | {
        "event_id": order_id,
        "person_id": f"p-{order_id}",
        "currency": currency,
        "lines": len(lines),
        "units": len(lines),
    }
    rows = [
        person
        | {"line_number": n, "person_id": f"p-{order_id}", "item_id": "gold", "quantity": 1, "unit_price_minor": price}
        | {"discount_minor": 0, "net_minor": price, "paid_at": at["paid_at"], "paid_date": on}
        | stamp_of_line
        for n, price in enumerate(lines, 1)
    ]
    visit = {
        "shop_id": shop_id,
        "session_key": order_id,
        "person_id": head["person_id"],
        "user_id": order_id,
        "started_at": at["paid_at"],
    }
    visit |= {"ended_at": at["paid_at"], "started_date": on, "events": 1, "views": 0, "searches": 0, "adds": 0}
    visit |= {"checkouts": 0, "orders": 1, "shares": 0}
    act = {"shop_id": shop_id, "event_id": order_id, "type": "order_paid", "person_id": head["person_id"], "user_id": order_id}
    act |= {"occurred_at": at["paid_at"], "received_at": at["received_at"], "occurred_date": on}
    sql = [insert("orders", [head | at | sums | more]), insert("order_lines", rows), insert("sessions", [visit])]
    sql.append(insert("events", [act]))
    return "".join(sql)


def refund(shop_id: str, refund_id: str, order_id: str, on: str, currency: str, amount: int, outcome: str, counted: int) -> str:
    ids = {"shop_id": shop_id, "refund_id": refund_id, "order_id": order_id, "currency": currency}
    at = {"refunded_at": f"{on} 11:00:00", "received_at": f"{on} 11:00:00", "refunded_date": on}
    return insert("refunds", [ids | at | {"amount_minor": amount, "outcome": outcome, "counted_minor": counted}])


STAMP = {"home_currency": "JPY", "home_discount_minor": 0, "home_shipping_minor": 0}
JPY_SHOP = (
    shop("jp", "JPY")
    + rates("jp", "JPY", ("USD", "2026-09-02", "150.25"), ("USD", "2026-09-05", "160"), ("KWD", "2026-09-01", "490.5"))
    + order("jp", "yen", "2026-09-03", "JPY", [1980])
    # Stamped at 140; the corrected rate of that day is 150.25: 3.33 + 6.67 USD = 1502.5, half to even
    + order("jp", "restated", "2026-09-03", "USD", [333, 667], **STAMP)
    # Before the first rate in the table: its stamp stands, where it has one
    + order("jp", "stamped", "2026-09-01", "USD", [55], at_home=77, **STAMP)
    # Flagged when it came; a rate of its date has been imported since: 1.500 KWD = 735.75 JPY
    + order("jp", "flagged", "2026-09-03", "KWD", [1500], home_currency="JPY")
    + order("jp", "unknown", "2026-09-03", "EUR", [100, 5], home_currency="JPY")
    + order("jp", "huge", "2026-09-06", "USD", [MOST], home_currency="JPY")
    # All of it goes back, in two parts, when the rate is another one: what was paid, to the last unit
    + refund("jp", "r1", "restated", "2026-09-05", "USD", 333, "counted", 333)
    + refund("jp", "r2", "restated", "2026-09-06", "USD", 700, "over_refund", 667)
    + refund("jp", "r3", "restated", "2026-09-07", "JPY", 50, "other_currency", 0)
    + refund("jp", "r4", "nobody", "2026-09-07", "USD", 50, "unknown_order", 0)
    + refund("jp", "r5", "unknown", "2026-09-07", "EUR", 50, "counted", 50)
)


def test_a_refund_that_is_worth_nothing_at_home_has_its_reason(project: Project) -> None:
    """1 rupiah is 0.045 fen: the reasons had the refund, their reconciliation did not, and the shop was held for it."""
    [test] = [node for node in project.tests if node["name"] == "return_reasons_equal_refunds"]
    rows = shop("idr", "CNY") + rates("idr", "CNY", ("IDR", "2026-09-01", "0.00045"))
    rows += order("idr", "small", "2026-09-03", "IDR", [100]) + order("idr", "unknown", "2026-09-03", "EUR", [500])
    rows += order("idr", "home", "2026-09-03", "CNY", [900])
    rows += refund("idr", "r1", "small", "2026-09-04", "IDR", 100, "counted", 100)
    rows += refund("idr", "r2", "unknown", "2026-09-04", "EUR", 50, "counted", 50)  # there is no rate for euros
    rows += refund("idr", "r3", "home", "2026-09-04", "CNY", 0, "counted", 0)  # nothing came back
    with project.built(rows) as marts:
        worth = "select refund_id, counted_minor from fct_refunds where shop_id = 'idr' order by refund_id"
        assert marts.execute(worth).fetchall() == [("r1", 0), ("r2", None), ("r3", 0)]
        reasons = "select distinct refund_id from int_item_refunds_reasoned where shop_id = 'idr' order by refund_id"
        assert marts.execute(reasons).fetchall() == [("r1",), ("r2",)]
        assert marts.execute(test["compiled_code"]).fetchall() == []
        marts.execute("delete from int_item_refunds_reasoned where refund_id = 'r1' and shop_id = 'idr'")
        assert [row[0] for row in marts.execute(test["compiled_code"]).fetchall()] == ["idr"]


def test_goods_that_a_coupon_pays_for_cost_nothing_in_another_currency_too(project: Project) -> None:
    """9.97 USD = 71.784 → 71.78 CNY, 4.96 USD = 35.712 → 35.71; before, the goods' revenue was −0.01 CNY."""
    rows = shop("free", "CNY") + rates("free", "CNY", ("USD", "2026-09-01", "7.2"))
    rows += order("free", "o1", "2026-09-03", "USD", [997], shipping=496, discount=997)
    with project.built(rows) as marts:
        [amounts] = marts.execute(
            "select gross_minor, discount_minor, shipping_minor, paid_minor from fct_orders where shop_id = 'free'"
        ).fetchall()
        assert amounts == (7178, 7178, 3571, 3571)
        [(revenue,)] = marts.execute("select revenue_minor from fct_order_items where shop_id = 'free'").fetchall()
        assert revenue == 0


def test_orders_are_worth_what_the_newest_rates_say_and_nothing_without_one(project: Project) -> None:
    with project.built(JPY_SHOP) as marts:
        orders = marts.execute(
            "select order_id, currency, paid_in_currency_minor, paid_minor from fct_orders where shop_id = 'jp'"
        )
        assert {order_id: rest for order_id, *rest in orders.fetchall()} == {
            "yen": ["JPY", 1980, 1980],
            "restated": ["USD", 1000, 1502],
            "stamped": ["USD", 55, 77],
            "flagged": ["KWD", 1500, 736],
            "unknown": ["EUR", 105, None],
            "huge": ["USD", MOST, None],
        }
        refunds = marts.execute("select refund_id, outcome, counted_minor from fct_refunds where shop_id = 'jp'").fetchall()
        assert {refund_id: tuple(rest) for refund_id, *rest in refunds} == {
            "r1": ("counted", 500),  # 333 of 1000 of 1502
            "r2": ("over_refund", 1002),
            "r3": ("other_currency", 0),
            "r4": ("unknown_order", 0),
            "r5": ("counted", None),
        }
        days = (
            "select sum(gmv_minor), sum(refunds_minor), sum(net_gmv_minor), sum(orders_without_rate), sum(uncounted_refunds) "
        )
        [sums] = marts.execute(days + "from fct_shop_days where shop_id = 'jp'").fetchall()
        assert sums == (1980 + 1502 + 77 + 736, 1502, 1980 + 77 + 736, 2, 3)
        assert marts.execute("select currency, minor_digits from dim_shops where shop_id = 'jp'").fetchall() == [("JPY", 0)]
    assert {shop_id for shops in project.failing_tests(JPY_SHOP).values() for shop_id in shops} <= {"a"}


def test_the_board_shows_amounts_with_the_digits_of_the_shops_currency(
    project: Project, semantic_manifest: dict[str, Any]
) -> None:
    generator = MetricSql(semantic_manifest)
    files = sorted((PROJECT_ROOT / "dashboard" / "board" / "datasets" / "jishi_marts").glob("*.yaml"))
    sql = {file.stem: yaml.safe_load(file.read_text())["sql"] for file in files}
    with project.built(JPY_SHOP) as marts:
        for table, saved_query in generator.exports.items():
            marts.execute(f"create table {table} as {generator.saved(saved_query)}")
        for query in sql.values():
            if query:
                marts.execute(query)
        shown = f"select sum(gmv), sum(refunds), sum(net_gmv) from ({sql['shop_days']}) where shop_id = ?"
        assert marts.execute(shown, ["jp"]).fetchall() == [(4295, 1502, 2793)]
        minor = "select sum(gmv_minor), sum(refunds_minor), sum(net_gmv_minor) from fct_shop_days where shop_id = ?"
        [cents] = marts.execute(minor, ["b"]).fetchall()
        assert marts.execute(shown, ["b"]).fetchall() == [pytest.approx(tuple(int(amount) / 100 for amount in cents))]


def test_restated_orders_are_rounded_as_stamps_are(project: Project) -> None:
    """SQL against the stamp of the contract, for orders of any amounts and rates."""
    luck = random.Random(5)
    sql, expected = shop("fx", "KWD"), {}
    for number in range(120):
        currency = luck.choice(["JPY", "USD", "BHD"])
        on = date(2026, 1, 1 + number % 28) if number < 60 else date(2026, 2, 1 + number % 28)
        rate = Decimal(luck.randint(1, 10 ** luck.choice([1, 6, 18]) - 1)).scaleb(-luck.choice([3, 12, 18]))
        sql += rates(f"fx{number}", "KWD", (currency, on.isoformat(), f"{rate:f}")) + shop(f"fx{number}", "KWD")
        lines = [luck.choice([0, 1, 5, 999, luck.randrange(10**9)]) for _ in range(luck.randint(1, 4))]
        shipping, discount = luck.randrange(10**6), luck.randint(0, sum(lines))
        sql += order(f"fx{number}", "o", on.isoformat(), currency, lines, shipping=shipping, discount=discount)
        money = ShopMoney("UTC", FxRates.of("KWD", [FxRate(currency, on, rate)]))
        properties = {"order_id": "o", "currency": currency, "shipping_minor": shipping, "discount_minor": discount}
        properties |= {"lines": [{"item_id": "gold", "quantity": 1, "unit_price_minor": price} for price in lines]}
        event = {"event_id": "e", "shop_id": "s", "type": "order_paid", "user_id": "u", "properties": properties}
        event |= {"occurred_at": datetime.combine(on, datetime.min.time(), UTC).isoformat()}
        record, _ = record_of(event, shop_id="s", collector_id="c", seq=0, collected_at_ms=0, money=money)
        if record["invalid_reason"] is not None:
            continue  # too large at home
        stamp = orjson.loads(record["line"])["properties"]
        nets = [line["home_net_minor"] for line in stamp["lines"]]
        expected[f"fx{number}"] = (
            sum(line["home_gross_minor"] for line in stamp["lines"]),
            stamp["home_discount_minor"],
            stamp["home_shipping_minor"],
            sum(nets) + stamp["home_shipping_minor"] - stamp["home_discount_minor"],
            nets,
        )
    with project.built(sql) as marts:
        rows = marts.execute(
            """select o.shop_id, o.gross_minor, o.discount_minor, o.shipping_minor, o.paid_minor,
                   (select list(l.net_minor order by l.line_number) from int_order_lines_valued as l
                    where l.shop_id = o.shop_id)
               from fct_orders as o where o.shop_id like 'fx%' and o.paid_minor is not null"""
        ).fetchall()
    valued = {shop_id: (*(int(n) for n in sums), [int(n) for n in nets]) for shop_id, *sums, nets in rows}
    assert len(expected) > 80
    assert valued == expected


def test_sums_beyond_64_bits_are_exact(project: Project) -> None:
    count = 1100
    assert count * MOST > 2**63
    sql = shop("rich", "CNY") + "".join(order("rich", f"o{n}", "2026-09-03", "CNY", [MOST]) for n in range(2))
    for table in ("orders", "order_lines"):
        of_first = f"from stg_lake__{table} cross join range({count}) as r(n) where shop_id = 'rich' and order_id = 'o0'"
        changed = "replace ('m' || n as order_id, 'midas' as person_id)"
        sql += f"insert into stg_lake__{table} select * exclude (n) {changed} {of_first};"
    with project.built(sql) as marts:
        total = (count + 2) * MOST
        assert marts.execute("select gmv_minor from fct_shop_days where shop_id = 'rich'").fetchall() == [(total,)]
        [(spent,)] = marts.execute(
            "select spent_minor from dim_customers where shop_id = 'rich' and person_id = 'midas'"
        ).fetchall()
        assert spent == count * MOST
        features = "select max(spent_minor_30d) from person_daily where shop_id = 'rich' and person_id = 'midas'"
        assert marts.execute(features).fetchall() in ([(2**63 - 1,)], [(None,)])
