"""Running counters of two shops in two time zones equal a count by hand over the events on time, to the last of them."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest

from jishi.contract.home_money import ShopMoney
from jishi.contract.record import record_of
from jishi.fx_rates import FxRate, FxRates
from jishi.settings import Settings

pytestmark = pytest.mark.integration

LATENESS_S, FUTURE_S = 30, 5
# A day ends in both shops within the log: in Shanghai at 16:00 UTC, in Bangkok at 17:00.
START_MS = 1_796_050_800_000  # 2026-11-30 15:00 UTC
UTC_HOURS = {"shanghai": 8, "bangkok": 7}
RATE = Decimal("7.13")
MONEY = {
    "shanghai": ShopMoney("Asia/Shanghai", FxRates.of("CNY", [FxRate("USD", date(2026, 1, 1), RATE)])),
    "bangkok": ShopMoney("Asia/Bangkok", FxRates("CNY")),
}
TYPES = ("item_viewed", "item_viewed", "item_viewed", "item_added_to_cart", "page_viewed", "order_paid", "coupon_redeemed")


Counters = dict[tuple[Any, ...], dict[str, int]]
Counted = tuple[list[dict[str, Any]], Counters]


def made_events(chance: random.Random) -> Iterator[tuple[int, dict[str, Any]]]:
    """When each became known (milliseconds since the start), and the event: some late, future, repeated or broken."""
    for number in range(900):
        known = chance.randrange(150 * 60_000)
        delay = chance.choice([0, 20, 3_000, LATENESS_S * 1000, LATENESS_S * 1000 + 1, 90_000, -4_000, -6_000])
        event = {
            "event_id": f"e{chance.randrange(700)}",
            "shop_id": chance.choice(list(MONEY)),
            "type": chance.choice(TYPES),
            "occurred_at": _iso(START_MS + known - delay),
            chance.choice(["user_id", "anonymous_id"]): f"p{chance.randrange(12)}",
            "context": chance.choice([{}, {"channel": "wechat"}, {"channel": "app"}]),
        }
        event["properties"] = _properties(event["type"], chance, number)
        if number % 40 == 0:
            event["properties"] = {"item_id": 7}  # invalid
        yield known, event


def _properties(event_type: str, chance: random.Random, number: int) -> dict[str, Any]:
    item = f"i{chance.randrange(30)}"
    if event_type == "order_paid":
        lines = [
            {"item_id": item, "quantity": 1 + n, "unit_price_minor": 333, "discount_minor": 10 * n}
            for n in range(1 + number % 3)
        ]
        # Some orders are reported again under another event id; a currency without a rate has no amount.
        order_id = f"o{number // 9 * 9 if number % 9 < 2 else number}"
        head = {"order_id": order_id, "currency": chance.choice(["CNY", "CNY", "USD", "JPY"])}
        return head | {"lines": lines, "shipping_minor": number % 2 * 500, "discount_minor": 100}
    if event_type == "page_viewed":
        return {"page": "/"}
    if event_type == "coupon_redeemed":
        return {"coupon_id": "c", "order_id": f"o{number}", "discount_minor": 1, "currency": "CNY"}
    added = {"quantity": 1, "unit_price_minor": 333, "currency": "CNY"} if event_type == "item_added_to_cart" else {}
    return {"item_id": item, **added}


def made_log() -> list[dict[str, Any]]:
    """Records in the order of knowing, and a tick each minute."""
    log = []
    for offset, (known, event) in enumerate(sorted(made_events(random.Random(5)), key=lambda pair: pair[0])):
        known_ms = START_MS + known
        shop_id = event["shop_id"]
        record, _ = record_of(
            event, shop_id=shop_id, collector_id="c", seq=offset, collected_at_ms=known_ms, money=MONEY[shop_id]
        )
        log.append({**record, "received_at_ms": known_ms, "log_partition": 0, "log_offset": offset})
    ticks = (
        {"type": "tick", "received_at_ms": START_MS + minute * 60_000, "log_partition": minute % 2} for minute in range(151)
    )
    return sorted([*log, *ticks], key=lambda row: row["received_at_ms"])


def on_time(log: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Records that count at once, each with its event: valid, within both limits, and the first of their id in their shop."""
    known: set[tuple[str, str]] = set()
    for row in log:
        if row["type"] == "tick" or row["invalid_reason"]:
            continue
        waited = row["received_at_ms"] - row["occurred_at_ms"]
        if waited < -FUTURE_S * 1000:
            continue
        is_repeated = (row["shop_id"], row["event_id"]) in known
        known.add((row["shop_id"], row["event_id"]))
        if not is_repeated and waited <= LATENESS_S * 1000:
            yield row, json.loads(row["line"])


def counted_by_hand(log: list[dict[str, Any]]) -> Counters:
    """Counters by kind and key."""
    counters: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    orders: set[tuple[str, str]] = set()
    persons: set[tuple[str, ...]] = set()
    for row, event in on_time(log):
        shop_id, person = row["shop_id"], row["person_id"]
        local = datetime.fromtimestamp(row["occurred_at_ms"] / 1000, UTC) + timedelta(hours=UTC_HOURS[shop_id])
        day = (shop_id, f"{local:%Y-%m-%d}")
        minute = counters["minute", *day, row["occurred_at_ms"] // 60_000]
        role = {"order_paid": "buyers", "coupon_redeemed": None}.get(event["type"], "visitors")
        if role and (*day, person, role) not in persons:
            persons.add((*day, person, role))
            counters["persons", *day][role] += 1
            if role == "visitors":
                counters["channel", *day, event.get("context", {}).get("channel", "")]["visitors"] += 1
        if event["type"] in ("item_viewed", "item_added_to_cart"):
            name = "item_views" if event["type"] == "item_viewed" else "cart_adds"
            minute[name] += 1
            counters["item", *day, event["properties"]["item_id"]][name] += 1
        if event["type"] == "order_paid" and (shop_id, event["properties"]["order_id"]) not in orders:
            orders.add((shop_id, event["properties"]["order_id"]))
            minute["orders"] += 1
            amount = paid(event["properties"], shop_id)
            minute["orders_without_rate"] += amount is None
            minute["gmv_minor"] += amount or 0
            for line in event["properties"]["lines"]:
                counters["item", *day, line["item_id"]]["order_lines"] += 1
    return {key: +value for key, value in counters.items() if +value}


def paid(order: dict[str, Any], shop_id: str) -> int | None:
    """What was paid for an order in CNY fen."""
    native = sum(line["quantity"] * line["unit_price_minor"] - line["discount_minor"] for line in order["lines"])
    native += order["shipping_minor"] - order["discount_minor"]
    if order["currency"] == "CNY":
        return native
    if order["currency"] == "USD" and shop_id == "shanghai":
        return int((native * RATE).quantize(Decimal(1), ROUND_HALF_EVEN))
    return None


@pytest.fixture(scope="module")
def counted(flink: Path) -> Counted:
    """The log, and the last value of each key that the job's statements gave."""
    from pyflink.common import RowKind

    from flink_jobs.counter_queries import counter_queries
    from flink_jobs.engine import computing_options, table_environment
    from flink_jobs.job import replay_job

    log = made_log()
    source = flink / "counted"
    source.mkdir()
    (source / "part-0.jsonl").write_text("\n".join(json.dumps(row) for row in log) + "\n", encoding="utf-8")
    settings = Settings(allowed_lateness_s=LATENESS_S, future_tolerance_s=FUTURE_S)
    job = replay_job(settings, {}, source=source, target=flink / "uncounted")
    environment = table_environment(computing_options(1))
    for statement in (job.tables[0], *job.definitions):
        environment.execute_sql(statement)
    last: Counters = {}
    keys = {"minute": 4, "persons": 3, "channel": 4, "item": 4, "clock": 2}
    for query in counter_queries().values():
        result = environment.execute_sql(query)
        names = result.get_table_schema().get_field_names()
        with result.collect() as rows:
            for row in rows:
                key = tuple(row[: keys[row[0]]])
                if row.get_row_kind() is RowKind.DELETE:
                    last.pop(key)
                else:
                    last[key] = {name: int(value) for name, value in list(zip(names, row, strict=True))[len(key) :]}
    return log, last


def test_counters_equal_a_count_by_hand(counted: Counted) -> None:
    log, last = counted
    expected = counted_by_hand(log)
    assert {key[1:3] for key in expected} == {(s, d) for s in MONEY for d in ("2026-11-30", "2026-12-01")}
    result = {key: {n: v for n, v in value.items() if v and n != "as_of_ms"} for key, value in last.items()}
    for kind in ("minute", "persons", "channel"):
        assert {k: v for k, v in result.items() if k[0] == kind} == {k: v for k, v in expected.items() if k[0] == kind}
    assert {"gmv_minor", "orders_without_rate"} <= set().union(*expected.values())


def test_the_items_that_sold_most_are_listed(counted: Counted) -> None:
    from jishi.shop_counters import MOST_LISTED

    log, last = counted
    by_hand: dict[Any, dict[str, Any]] = defaultdict(dict)
    listed: dict[Any, dict[str, Any]] = defaultdict(dict)
    for rows, days in ((counted_by_hand(log), by_hand), (last, listed)):
        for key, value in rows.items():
            if key[0] == "item":
                days[key[1:3]][key[3]] = tuple(value.get(name, 0) for name in ("order_lines", "cart_adds", "item_views"))
    assert any(len(items) > MOST_LISTED for items in by_hand.values())
    assert by_hand.keys() == listed.keys()
    for day, items in listed.items():
        assert items.items() <= by_hand[day].items()
        assert sorted(items.values(), reverse=True) == sorted(by_hand[day].values(), reverse=True)[:MOST_LISTED]


def test_the_clock_says_how_far_the_log_was_read(counted: Counted) -> None:
    minutes = {("clock", 0): (0, 150), ("clock", 1): (1, 149)}
    assert {key: (value["since_ms"], value["as_of_ms"]) for key, value in counted[1].items() if key[0] == "clock"} == {
        key: (START_MS + first * 60_000, START_MS + last * 60_000) for key, (first, last) in minutes.items()
    }


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
