"""Days of shops, what they are compared with, and what items of orders brought in: against plain Python over silver's rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jishi import tables
from jishi.marts import mart_rows
from jishi.paths import Paths
from tests.integration.dbt.conftest import ZONES, at_home
from tests.lake import newest

pytestmark = pytest.mark.integration
Row = dict[str, Any]
Key = tuple[str, date]


def by_day(rows: Iterable[Row], column: str) -> dict[Key, list[Row]]:
    by_key: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        by_key[row["shop_id"], row[column]].append(row)
    return by_key


def added(rows: Iterable[Row], name: str) -> int:
    """Σ of an amount in the home currency, over the rows that have one."""
    return sum(at_home(row, name) or 0 for row in rows)


def share(above: float, below: float) -> float | None:
    return above / below if below else None


class SilverFacts:
    """Rows of silver by day, refunds by their order."""

    def __init__(self, silver: Any) -> None:
        self.orders = {(o["shop_id"], o["order_id"]): o for o in silver.of(tables.SILVER_ORDERS)}
        self.events = [e for e in silver.of(tables.SILVER_EVENTS) if e["type"] != "order_refunded"]
        self.sessions = silver.of(tables.SILVER_SESSIONS)
        self.refunds = silver.of(tables.SILVER_REFUNDS)
        self.back: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for refund in self.refunds:
            self.back[refund["shop_id"], refund["order_id"]].append(refund)
        known = [*self.events, *self.orders.values(), *self.refunds]
        self.as_of = {shop: max(r["received_at"] for r in known if r["shop_id"] == shop) for shop in ZONES}

    def at_home(self, refund: Row) -> int:
        order = self.orders.get((refund["shop_id"], refund["order_id"]))
        return 0 if order is None else at_home(refund, "counted_minor", order) or 0

    def has_amount(self, refund: Row) -> bool:
        """Whether it is known at home what went back; what does not count is nothing."""
        order = self.orders.get((refund["shop_id"], refund["order_id"]))
        return order is None or refund["counted_minor"] == 0 or at_home(refund, "counted_minor", order) is not None

    def refunded(self, order: Row) -> int:
        return sum(self.at_home(refund) for refund in self.back[order["shop_id"], order["order_id"]])

    def is_kept(self, order: Row) -> bool:
        """Whether not all of it came back."""
        back = sum(refund["counted_minor"] for refund in self.back[order["shop_id"], order["order_id"]])
        return back < order["paid_minor"]


def local(instant: datetime, shop_id: str) -> datetime:
    return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(ZONES[shop_id])).replace(tzinfo=None)


def traffic_of(events: list[Row], visits: list[Row]) -> dict[str, int | None]:
    """Persons, pages and visits of a day, those of bots apart; a till's payment is neither an act nor a visit."""
    acts, real_visits = [e for e in events if e["type"] != "order_paid"], [v for v in visits if v["events"] > v["orders"]]
    counts: dict[str, int | None] = {}
    for prefix, is_bot in (("", False), ("bot_", True)):
        of_kind = [e for e in acts if (e["person_id"] == "bot") == is_bot]
        counts[f"{prefix}visitors"] = len({e["person_id"] for e in of_kind})
        counts[f"{prefix}page_views"] = sum(e["type"] == "page_viewed" for e in of_kind)
        counts[f"{prefix}item_views"] = sum(e["type"] == "item_viewed" for e in of_kind)
        counts[f"{prefix}sessions"] = sum((v["person_id"] == "bot") == is_bot for v in real_visits)
    return counts | {"paying_sessions": sum(v["orders"] > 0 for v in real_visits)}


def test_days_of_the_shops(built: Paths, silver: Any) -> None:
    facts = SilverFacts(silver)
    events, visits = by_day(facts.events, "occurred_date"), by_day(facts.sessions, "started_date")
    orders, refunds = by_day(facts.orders.values(), "paid_date"), by_day(facts.refunds, "refunded_date")
    rows = mart_rows(newest(built.var), "select * from fct_shop_days order by shop_id, shop_date")
    for shop_id in ZONES:
        known = {day for shop, day in events.keys() | orders.keys() | refunds.keys() if shop == shop_id}
        known.add(local(facts.as_of[shop_id], shop_id).date())
        days = [row["shop_date"] for row in rows if row["shop_id"] == shop_id]
        assert days == [min(known) + timedelta(days=n) for n in range((max(known) - min(known)).days + 1)]
        assert not known >= set(days)  # the data has holes, the days have none
    for row in rows:
        key = shop_id, day = row["shop_id"], row["shop_date"]
        sold, paid = orders[key], added(orders[key], "paid_minor")
        back, later = sum(map(facts.at_home, refunds[key])), sum(map(facts.refunded, orders[key]))
        with_amount = [o for o in sold if at_home(o, "paid_minor") is not None]
        known_back = [r for r in refunds[key] if facts.has_amount(r)]
        traffic = traffic_of(events[key], visits[key])
        for name in traffic:
            known = [e for e in facts.events if e["shop_id"] == shop_id and e["type"] != "order_paid"]
            if "page" in name:
                known = [e for e in known if e["type"] == "page_viewed"]
            if not known or day < min(e["occurred_date"] for e in known):
                traffic[name] = None
        expected = {
            "is_complete": local(facts.as_of[shop_id], shop_id).date() > day,
            "as_of_at": facts.as_of[shop_id],
            **traffic,
            "orders": len(sold),
            "orders_without_rate": len(sold) - len(with_amount),
            "coupon_orders": sum(o["coupons"] > 0 for o in sold),
            "wholly_refunded_orders": sum(not facts.is_kept(o) for o in sold),
            "paying_customers": len({o["person_id"] for o in sold}),
            "units": sum(o["units"] for o in sold),
            "gross_minor": added(sold, "gross_minor"),
            "line_discount_minor": sum(10 * o["lines"] * (at_home(o | {"one": 1}, "one") or 0) for o in sold),
            "discount_minor": added(sold, "discount_minor"),
            "shipping_minor": added(sold, "shipping_minor"),
            "price_correction_minor": 0,
            "gmv_minor": paid,
            "refunds_minor": back,
            "uncounted_refunds": sum(r["outcome"] != "counted" for r in refunds[key]),
            "refunded_later_minor": later,
            "net_gmv_minor": paid - back,
            "order_value_minor": share(paid, len(with_amount)),
            "customer_value_minor": share(paid, len({o["person_id"] for o in with_amount})),
            "units_per_order": share(sum(o["units"] for o in sold), len(sold)),
            "refund_rate_by_payment_day": share(later, paid),
            "refund_rate_by_refund_day": share(back, paid),
            "conversion": share(traffic["paying_sessions"] or 0, traffic["sessions"] or 0),
        }
        expected["order_discount_minor"] = expected["discount_minor"] - expected["line_discount_minor"]
        if sold and not with_amount:
            unknown = ("gross_minor", "line_discount_minor", "order_discount_minor", "discount_minor", "shipping_minor")
            expected |= dict.fromkeys((*unknown, "price_correction_minor", "gmv_minor", "refunded_later_minor"))
        if refunds[key] and not known_back:
            expected |= dict.fromkeys(("refunds_minor", "refund_rate_by_refund_day"))
        if (sold or refunds[key]) and not (with_amount or known_back):
            expected["net_gmv_minor"] = None
        for length in (7, 30, 90, 365):
            window = Counter(
                o["person_id"]
                for o in facts.orders.values()
                if o["shop_id"] == shop_id and 0 <= (day - o["paid_date"]).days < length and facts.is_kept(o)
            )
            repeated = sum(n >= 2 for n in window.values())
            expected[f"customers_{length}d"], expected[f"repeat_customers_{length}d"] = len(window), repeated
            has_passed = (day - min(r["shop_date"] for r in rows if r["shop_id"] == shop_id)).days + 1 >= length
            expected[f"repurchase_rate_{length}d"] = share(repeated, len(window)) if has_passed else None
        assert row == {"shop_id": shop_id, "shop_date": day} | expected
    # The data holds what the rules are about.
    assert any(row["refunds_minor"] and not row["orders"] for row in rows)
    assert any(row["conversion"] is None for row in rows)
    assert any(row["orders_without_rate"] and row["order_discount_minor"] for row in rows)
    assert any(row["repurchase_rate_30d"] for row in rows)
    assert any(row["repurchase_rate_30d"] is None and row["repeat_customers_30d"] for row in rows)
    assert {row["is_complete"] for row in rows} == {True, False}
    assert any(row["bot_item_views"] for row in rows)
    assert any(row["page_views"] for row in rows)
    assert any(row["page_views"] is None and row["visitors"] for row in rows)


COMPARED = ("shop_id", "shop_date", "compared_with", "compared_date", "until_at")
BEFORE: dict[str, Callable[[date], date]] = {
    "day_before": lambda day: day - timedelta(days=1),
    "week_before": lambda day: day - timedelta(days=7),
    "year_before": lambda day: day.replace(year=day.year - 1),
}


def test_days_are_compared_by_date_and_up_to_the_same_time(built: Paths, silver: Any) -> None:
    facts = SilverFacts(silver)
    days = {(r["shop_id"], r["shop_date"]): r for r in mart_rows(newest(built.var), "select * from fct_shop_days")}
    rows = mart_rows(newest(built.var), "select * from fct_shop_day_comparisons")
    assert len(rows) == 3 * len(days)
    in_part = seen_in_part = 0
    for row in rows:
        shop_id, other = row["shop_id"], BEFORE[row["compared_with"]](row["shop_date"])
        assert row["compared_date"] == other
        today = days[shop_id, row["shop_date"]]
        if (shop_id, other) not in days:
            assert {value for name, value in row.items() if name not in COMPARED} == {None}
            continue
        until = datetime.combine(other, time.max)
        if not today["is_complete"]:
            until = datetime.combine(other, time.min) + (
                local(facts.as_of[shop_id], shop_id) - datetime.combine(row["shop_date"], time.min)
            )
        sold = [
            o
            for o in facts.orders.values()
            if (o["shop_id"], o["paid_date"]) == (shop_id, other) and local(o["paid_at"], shop_id) <= until
        ]
        back = [
            r
            for r in facts.refunds
            if (r["shop_id"], r["refunded_date"]) == (shop_id, other) and local(r["refunded_at"], shop_id) <= until
        ]
        assert (row["orders"], row["paying_customers"], row["units"]) == (
            len(sold),
            len({o["person_id"] for o in sold}),
            sum(o["units"] for o in sold),
        )
        paid, refunded = added(sold, "paid_minor"), sum(map(facts.at_home, back))
        with_amount = [o for o in sold if at_home(o, "paid_minor") is not None]
        known_back = [r for r in back if facts.has_amount(r)]
        assert (row["gmv_minor"], row["refunds_minor"], row["net_gmv_minor"]) == (
            paid if with_amount or not sold else None,
            refunded if known_back or not back else None,
            paid - refunded if with_amount or known_back or not (sold or back) else None,
        )
        assert row["order_value_minor"] == share(paid, len(with_amount))
        assert row["customer_value_minor"] == share(paid, len({o["person_id"] for o in with_amount}))
        expected = traffic_until(facts, shop_id, other, until)
        expected = {name: None if days[shop_id, other][name] is None else count for name, count in expected.items()}
        assert {name: row[name] for name in expected} == expected
        assert row["conversion"] == share(expected["paying_sessions"] or 0, expected["sessions"] or 0)
        in_part += 0 < len(sold) < days[shop_id, other]["orders"]
        seen_in_part += 0 < (row["sessions"] or 0) < (days[shop_id, other]["sessions"] or 0)
    assert in_part > 0
    assert seen_in_part > 0


def traffic_until(facts: SilverFacts, shop_id: str, day: date, until: datetime) -> dict[str, int | None]:
    """Traffic without bots of what had happened by then, on the shop's clock; of a visit its acts of a person and device."""
    happened = [
        e
        for e in facts.events
        if e["shop_id"] == shop_id and e["person_id"] != "bot" and local(e["occurred_at"], shop_id) <= until
    ]
    acts = [e for e in happened if e["occurred_date"] == day and e["type"] != "order_paid"]
    of_visits = [
        {
            e["type"] == "order_paid"
            for e in happened
            if (e["person_id"], e["anonymous_id"]) == (v["person_id"], v["anonymous_id"])
            and v["started_at"] <= e["occurred_at"] <= v["ended_at"]
        }
        for v in facts.sessions
        if (v["shop_id"], v["started_date"]) == (shop_id, day) and v["person_id"] != "bot"
    ]
    return {
        "visitors": len({e["person_id"] for e in acts}),
        "page_views": sum(e["type"] == "page_viewed" for e in acts),
        "item_views": sum(e["type"] == "item_viewed" for e in acts),
        "sessions": sum(False in kinds for kinds in of_visits),
        "paying_sessions": sum(kinds == {False, True} for kinds in of_visits),
    }


def largest_remainder(amount: int, weights: dict[str, int]) -> dict[str, int]:
    total = sum(weights.values())
    exact = {name: Fraction(amount * weight, total) if total else Fraction(0) for name, weight in weights.items()}
    shares = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda name: (shares[name] - exact[name], name))[: amount - sum(shares.values())]:
        shares[name] += 1
    return shares


def test_items_have_their_share_of_discounts_and_refunds(built: Paths, silver: Any) -> None:
    facts, lines, named = SilverFacts(silver), defaultdict(list), Counter[tuple[str, str, str]]()
    for line in silver.of(tables.SILVER_ORDER_LINES):
        lines[line["shop_id"], line["order_id"]].append(line)
    for line in silver.of(tables.SILVER_REFUND_LINES):
        if line["outcome"] == "counted":
            named[line["shop_id"], line["order_id"], line["item_id"]] += line["counted_minor"]
    rows = mart_rows(newest(built.var), "select * from fct_order_items")
    by_order: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        by_order[row["shop_id"], row["order_id"]][row["item_id"]] = row
    assert by_order.keys() == facts.orders.keys()
    cases = Counter[str]()
    for key, order in facts.orders.items():
        items = by_order[key]
        assert items.keys() == {line["item_id"] for line in lines[key]}
        if at_home(order, "paid_minor") is None:
            assert {row["revenue_minor"] for row in items.values()} == {None}
            continue
        net = {item: sum(at_home(x, "net_minor", order) or 0 for x in lines[key] if x["item_id"] == item) for item in items}
        discount = (at_home(order, "paid_minor") or 0) - (at_home(order, "shipping_minor") or 0)
        discount = sum(net.values()) - discount
        shares = largest_remainder(discount, net)
        revenue = {item: net[item] - shares[item] for item in items}
        back = min(facts.refunded(order), sum(revenue.values()))
        of_items = {item: min(revenue[item], (at_home(order | {"x": named[*key, item]}, "x") or 0)) for item in items}
        if sum(of_items.values()) <= back:
            rest = largest_remainder(back - sum(of_items.values()), {item: revenue[item] - of_items[item] for item in items})
            refunded = {item: of_items[item] + rest[item] for item in items}
        else:
            refunded = largest_remainder(back, of_items)
            cases["named more than came back"] += 1
        for item, row in items.items():
            assert (row["order_discount_minor"], row["revenue_minor"]) == (shares[item], revenue[item])
            assert (row["refunded_minor"], row["net_revenue_minor"]) == (refunded[item], revenue[item] - refunded[item])
        cases["discount with a rest"] += len(items) > 1 and discount > 0
        cases["refund in part"] += len(items) > 1 and 0 < back < sum(revenue.values())
        cases["all came back"] += 0 < back == sum(revenue.values())
    assert all(
        cases[name] for name in ("discount with a rest", "refund in part", "all came back", "named more than came back")
    ), cases
