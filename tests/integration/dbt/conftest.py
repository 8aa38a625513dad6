"""One small silver, written once, and its marts, built once by dbt on DuckDB."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from jishi import tables
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from jishi.tables import TableSchema
from ops import marts
from tests.lake import publish, settings_in

Rows = list[dict[str, Any]]
ZONES = {"a": "Asia/Shanghai", "b": "UTC"}
START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
DAYS = 45


def local_date(shop_id: str, instant: datetime) -> date:
    return instant.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(ZONES[shop_id])).date()


@dataclass
class Silver:
    """Rows of every silver table."""

    rows: dict[TableSchema, Rows]

    def of(self, schema: TableSchema) -> Rows:
        return self.rows[schema]

    def publish(self, var: Path, changed: dict[TableSchema, Rows] | None = None) -> None:
        """Publish all tables, some of them changed."""
        publish(var, self.rows | (changed or {}))


def make_silver(seed: int = 11, visits: int = 110, persons: int = 14) -> Silver:
    """Two shops with equal ids over 45 days: visits, funnels, orders, refunds on later days, late events, a quiet week."""
    luck = random.Random(seed)
    rows: dict[TableSchema, Rows] = {schema: [] for schema in (*tables.SILVER, tables.SILVER_DECISIONS, tables.BRONZE_FX_RATES)}
    # Until the rate is there, the stamps of the orders stand; both say 7.
    rate = {"shop_id": "a", "home_currency": "CNY", "currency": "USD", "rate_date": (START + timedelta(days=25)).date()}
    rows[tables.BRONZE_FX_RATES].append(rate | {"rate": "7.00", "rate_units": 700, "rate_scale": 2, "loaded_at": START})
    number = 0
    for shop_id in ZONES:
        for item in range(6):
            blank = {"title": f"裙 {item}", "category": "裙装", "unit_price_minor": 100 * item, "currency": "CNY"}
            fixed = {
                "attributes": "{}",
                "stock": None if (shop_id, item) == ("b", 5) else item,
                "status": "active",
                "changed_at": START,
                "known_at": START,
            }
            rows[tables.SILVER_ITEMS].append({"shop_id": shop_id, "item_id": f"i{item}"} | blank | fixed)
        for _ in range(visits):
            day = luck.choice([d for d in range(DAYS) if not 20 <= d < 27])
            # The last day has its morning only.
            at = START + timedelta(days=day, seconds=luck.randrange(86_400 if day < DAYS - 1 else 36_000))
            number += 1
            _visit(rows, luck, shop_id, f"p{luck.randrange(persons)}", at, number)
        _bot(rows, shop_id)
        _owl(rows, shop_id)
        _recommendations(rows, random.Random(seed), shop_id, persons)
        # The day before and the week before have orders in their mornings and in their evenings.
        for day, hour in itertools.product((DAYS - 2, DAYS - 8), (1, 15)):
            number += 1
            _visit(rows, luck, shop_id, f"p{hour % 14}", START + timedelta(days=day, hours=hour), number, paid_share=1)
    for shop_id in ZONES:
        _sharers(rows, shop_id)
    _channels(rows)
    _forecasts(rows)
    return Silver(rows)


def _sharers(rows: dict[TableSchema, Rows], shop_id: str) -> None:
    """Two persons who share a link each, by which visits of others and of their own come (``_visit``)."""
    for number in range(2):
        at = START + timedelta(days=1, hours=number)
        who = {"shop_id": shop_id, "person_id": f"p{number}", "anonymous_id": f"device-of-sharer-{number}"}
        event = who | {"batch": "history", "event_id": f"share-{number}", "type": "item_shared", "share_id": f"h{number}"}
        event |= {
            "occurred_at": at,
            "received_at": at,
            "occurred_date": local_date(shop_id, at),
            "is_late": False,
            "line": "{}",
        }
        rows[tables.SILVER_EVENTS].append(event | {"item_id": "i1"})
        visit = who | {"session_key": f"share-{number}", "started_at": at, "ended_at": at, "device": "web", "views": 0}
        visit |= {"started_date": local_date(shop_id, at), "events": 1, "shares": 1, "channel": "app"}
        rows[tables.SILVER_SESSIONS].append(visit | dict.fromkeys(("searches", "adds", "checkouts", "orders"), 0))


def _channels(rows: dict[TableSchema, Rows]) -> None:
    """What shop ``a`` spent, of which euros have no rate and dollars one, and what an earlier fit said of its channels."""
    spent = {"shop_id": "a", "channel": "app", "loaded_at": START}
    rows[tables.BRONZE_SPEND] = [
        spent
        | {"spend_date": START.date() + timedelta(days=day), "campaign": campaign, "amount_minor": amount, "currency": code}
        for day, campaign, amount, code in (
            *((day, None, 500, "CNY") for day in range(DAYS)),
            *((30, "autumn", 999, "USD"), (31, "autumn", 100, "EUR"), (31, "winter", 0, "CNY")),
        )
    ]
    rows[tables.BRONZE_SPEND].append(rows[tables.BRONZE_SPEND][0] | {"channel": "tv", "clicks": 3, "impressions": 70})
    effects = {"app": 0.5, "direct": 0.3, "share": 0.2}
    rows[tables.CHANNEL_EFFECTS] = [
        {"shop_id": "a", "model": model, "channel": channel, "as_of_date": START.date(), "effect": effect}
        | {"effect_low": effect - 0.1, "effect_high": effect + 0.1, "journeys": 9, "orders": 3}
        for model in ("markov", "shapley")
        for channel, effect in effects.items()
    ]


def _forecasts(rows: dict[TableSchema, Rows]) -> None:
    """A forecast of one customer of shop ``a``, as an earlier run published it."""
    head = {"shop_id": "a", "as_of_date": START.date(), "currency": "CNY"}
    bounds = {"expected_purchases": 2.0, "expected_purchases_low": 1.5, "expected_purchases_high": 2.5}
    value = {"expected_value_minor": 1000.0, "expected_value_minor_low": 700.0, "expected_value_minor_high": 1400.0}
    value |= {"person_id": "p1", "horizon_days": 365, "repeat_purchases": 1, "probability_alive": 0.5}
    rows[tables.CUSTOMER_VALUES] = [head | bounds | value | {"expected_amount_minor": 500.0}]
    rows[tables.CUSTOMER_VALUE_PARAMETERS] = [head | {"parameter": "r", "estimate": 0.5, "low": 0.4, "high": 0.7}]
    days = {"cut_date": START.date() - timedelta(days=9), "held_out_days": 9}
    group = {"shop_id": "a", "as_of_date": START.date(), "repeat_purchases": 0, "customers": 3, "actual_purchases": 2.1}
    rows[tables.CUSTOMER_VALUE_CALIBRATION] = [group | days | bounds]


def _visit(
    rows: dict[TableSchema, Rows],
    luck: random.Random,
    shop_id: str,
    person_id: str,
    at: datetime,
    n: int,
    *,
    paid_share: float = 0.45,
) -> None:
    counts = {"views": luck.choice([0, 1, 2, 3]), "adds": luck.choice([0, 0, 1]), "checkouts": luck.choice([0, 1])}
    counts["orders"] = int(luck.random() < paid_share)
    acts = [name for name, count in counts.items() for _ in range(count)] or ["searches"]
    if shop_id == "a" and n % 4 == 0 and at > START + timedelta(days=10):
        acts.insert(0, "pages")
    types = {
        "pages": "page_viewed",
        "views": "item_viewed",
        "adds": "item_added_to_cart",
        "checkouts": "checkout_started",
        "orders": "order_paid",
    }
    payload = {"shop_id": shop_id, "person_id": person_id, "anonymous_id": f"device-{n}"}
    for position, act in enumerate(acts):
        occurred = at + timedelta(minutes=position)
        known = occurred + timedelta(seconds=1) if luck.random() < 0.8 else occurred + timedelta(days=luck.choice([1, 9]))
        known = min(known, max(occurred + timedelta(seconds=1), START + timedelta(days=DAYS - 1, hours=10)))
        # What came through the log, and before that another system's history.
        batch = "history" if at < START + timedelta(days=6) else f"live-{known:%Y-%m-%d}"
        event = payload | {"batch": batch, "event_id": f"e{n}-{position}", "type": types.get(act, "search_performed")}
        event |= {"occurred_at": occurred, "received_at": known, "occurred_date": local_date(shop_id, occurred)}
        event |= {"is_late": known - occurred > timedelta(seconds=30), "line": f'{{"properties":{{"order_id":"o{n}"}}}}'}
        if act in ("views", "adds"):
            event["item_id"] = f"i{luck.randrange(7)}"  # i6 is not in the catalogue
        rows[tables.SILVER_EVENTS].append(event)
        if act == "orders":
            _order(rows, luck, payload | {"event_id": event["event_id"]}, f"o{n}", occurred, known)
    visit = payload | {
        "session_key": f"{person_id}@{n}",
        "started_at": at,
        "ended_at": occurred,
        "channel": luck.choice(["app", None]),
        "device": luck.choice(["ios", "web"]),
        "share_id": f"h{n % 2}" if n % 3 == 0 else None,
        "referrer": "blog.example" if n % 7 == 0 else None,
    }
    visit |= {"started_date": local_date(shop_id, at), "events": len(acts), "searches": int("searches" in acts), "shares": 0}
    rows[tables.SILVER_SESSIONS].append(visit | counts)


def _bot(rows: dict[TableSchema, Rows], shop_id: str) -> None:
    """A visit of 31 items in half a minute; and one as fast of 29, which is no bot's yet."""
    for number, (person_id, views) in enumerate({"bot": 31, "quick": 29}.items()):
        at = START + timedelta(days=5, hours=number)
        who = {"shop_id": shop_id, "person_id": person_id, "anonymous_id": f"device-{person_id}"}
        last = at + timedelta(seconds=views - 1)
        for n in range(views):
            occurred = at + timedelta(seconds=n)
            event = who | {"batch": "live-2026-09-06", "event_id": f"{person_id}-{n}", "type": "item_viewed", "item_id": "i1"}
            event |= {"occurred_at": occurred, "received_at": occurred, "occurred_date": local_date(shop_id, occurred)}
            rows[tables.SILVER_EVENTS].append(event | {"is_late": False, "line": "{}"})
        visit = who | {"session_key": person_id, "started_at": at, "ended_at": last, "device": "web", "views": views}
        visit |= {"started_date": local_date(shop_id, at), "events": views, "shares": 0}
        rows[tables.SILVER_SESSIONS].append(visit | dict.fromkeys(("searches", "adds", "checkouts", "orders"), 0))


def _owl(rows: dict[TableSchema, Rows], shop_id: str) -> None:
    """A visit over midnight of the shop's clock: its person is a visitor of both days."""
    at = START + timedelta(days=12, hours=15 if shop_id == "a" else 23, minutes=58)
    who = {"shop_id": shop_id, "person_id": "owl", "anonymous_id": "device-owl"}
    for n in range(2):
        occurred = at + timedelta(minutes=4 * n)
        event = who | {"batch": "history", "event_id": f"owl-{n}", "type": "item_viewed", "item_id": "i2"}
        event |= {"occurred_at": occurred, "received_at": occurred, "occurred_date": local_date(shop_id, occurred)}
        rows[tables.SILVER_EVENTS].append(event | {"is_late": False, "line": "{}"})
    visit = who | {"session_key": "owl", "started_at": at, "ended_at": occurred, "device": "web", "views": 2, "events": 2}
    none = dict.fromkeys(("searches", "adds", "checkouts", "orders", "shares"), 0)
    rows[tables.SILVER_SESSIONS].append(visit | {"started_date": local_date(shop_id, at)} | none)


def _recommendations(rows: dict[TableSchema, Rows], luck: random.Random, shop_id: str, persons: int) -> None:
    """Visits that see a list of three items, of which some click one, and one list of the bot."""
    for number in range(40):
        at = START + timedelta(
            days=luck.choice([d for d in range(DAYS - 1) if not 20 <= d < 27]), seconds=luck.randrange(86_000)
        )
        person_id = "bot" if number == 0 else f"p{luck.randrange(persons)}"
        who = {"shop_id": shop_id, "person_id": person_id, "anonymous_id": f"device-seen-{number}"}
        request = {"request_id": f"q{number}", "placement": luck.choice(["home", "cart"])}
        items = luck.sample([f"i{n}" for n in range(6)], 3)
        known = {} if number % 5 == 0 else {"is_person_known": number % 2 == 0, "model_version": f"m{number % 3}"}
        shown = request | known | {"item_ids": items} | ({} if number % 7 == 0 else {"reasons": ["popular", "similar", "new"]})
        if number % 4:  # another recommender made the others, or their decisions were lost
            _decision(rows, shop_id, request["request_id"], at, items, number)
        acts = [("recommendation_shown", shown)]
        if luck.random() < 0.6:
            acts.append(("recommendation_clicked", request | {"item_id": luck.choice(items), "position": 0}))
        for position, (kind, properties) in enumerate(acts):
            occurred = at + timedelta(seconds=position)
            event = who | {"batch": "history", "event_id": f"seen-{number}-{position}", "type": kind, "is_late": False}
            event |= {"occurred_at": occurred, "received_at": occurred, "occurred_date": local_date(shop_id, occurred)}
            event |= {"item_id": properties.get("item_id"), "line": json.dumps({"properties": properties})}
            rows[tables.SILVER_EVENTS].append(event)
        visit = who | {
            "session_key": f"seen-{number}",
            "started_at": at,
            "ended_at": occurred,
            "device": "web",
            "events": len(acts),
        }
        none = ("views", "searches", "adds", "checkouts", "orders", "shares")
        rows[tables.SILVER_SESSIONS].append(visit | {"started_date": local_date(shop_id, at)} | dict.fromkeys(none, 0))


def _decision(
    rows: dict[TableSchema, Rows], shop_id: str, request_id: str, at: datetime, items: list[str], number: int
) -> None:
    """What serving logged of a list: every third one explores in its last place, some were made under rules."""
    logged = {"shop_id": shop_id, "request_id": request_id, "logged_at": at, "answered_at": at, "propensity": 1.0}
    logged |= {"served_by": "popular" if number % 5 else "personalised", "model": "ladder", "model_version": f"m{number % 3}"}
    logged |= {"rules_version": number % 2 or None}
    for place, item_id in enumerate(items, 1):
        arm = "explored" if number % 3 == 0 and place == len(items) else "ranked"
        rows[tables.SILVER_DECISIONS].append(logged | {"place": place, "item_id": item_id, "arm": arm})
    # Of an item that was listed and not shown nothing follows.
    rows[tables.SILVER_DECISIONS].append(logged | {"place": len(items) + 1, "item_id": "i-below", "arm": "ranked"})


USD_RATE = 7


def money_of(shop_id: str, number: int) -> dict[str, Any]:
    """Currency and stamp of an order: shop ``a`` sells in dollars too, and in euros, for which it has no rate."""
    currency = {0: "USD", 1: "USD", 2: "EUR"}.get(number % 10, "CNY") if shop_id == "a" else "CNY"
    stamp = {} if currency == "CNY" else {"home_currency": "CNY"} | ({"fx_rate": "7"} if currency == "USD" else {})
    return {"currency": currency} | stamp


def at_home(row: dict[str, Any], name: str, order: dict[str, Any] | None = None) -> int | None:
    """An amount of an order, or of a row that belongs to it, in the home currency."""
    factor = {"CNY": 1, "USD": USD_RATE, "EUR": None}[(order or row)["currency"]]
    return None if factor is None else factor * row[name]


def _stamped(row: dict[str, Any], money: dict[str, Any], *names: str) -> dict[str, Any]:
    return row | {f"home_{name}": at_home(row, name, money) for name in names}


def _order(
    rows: dict[TableSchema, Rows], luck: random.Random, fields: dict[str, str], order_id: str, at: datetime, known: datetime
) -> None:
    day, money = local_date(fields["shop_id"], at), money_of(fields["shop_id"], int(order_id[1:]))
    lines: Rows = []
    for line_number in range(1, luck.randint(1, 3) + 1):
        quantity, price = luck.randint(1, 3), luck.choice([500, 990, 20_000])
        line = fields | {"order_id": order_id, "line_number": line_number, "paid_at": at, "paid_date": day}
        line |= {"item_id": f"i{luck.randrange(6)}", "quantity": quantity, "unit_price_minor": price}
        line |= {"discount_minor": 10, "net_minor": quantity * price - 10, "gross_minor": quantity * price}
        lines.append(_stamped(line, money, "gross_minor", "discount_minor", "net_minor"))
    gross = sum(line["quantity"] * line["unit_price_minor"] for line in lines)
    # Every fifth order has a discount of its own, whose cents do not go into its lines.
    own_discount = 137 if int(order_id[1:]) % 5 == 0 else 0
    paid = sum(line["net_minor"] for line in lines) - own_discount + 800
    order = fields | {"order_id": order_id, "paid_at": at, "received_at": known, "paid_date": day}
    order |= money | {"lines": len(lines), "units": sum(line["quantity"] for line in lines), "coupons": int(own_discount > 0)}
    order |= {"gross_minor": gross, "discount_minor": 10 * len(lines) + own_discount, "shipping_minor": 800, "paid_minor": paid}
    order = _stamped(order, money, "gross_minor", "discount_minor", "shipping_minor", "paid_minor")
    rows[tables.SILVER_ORDERS].append(order | {"channel": luck.choice(["app", None])})
    rows[tables.SILVER_ORDER_LINES] += lines
    left = paid
    for part in range(luck.choice([0, 0, 1, 2])):
        back = at + timedelta(days=luck.randint(0, 40))
        refund = fields | {"refund_id": f"r{order_id}-{part}", "order_id": order_id, "refunded_at": back, "received_at": at}
        refund |= {"refunded_date": local_date(fields["shop_id"], back), "currency": money["currency"]}
        # Seldom more than is left, or of an order that nobody knows, or in another currency.
        amount, outcome = luck.choice(
            [(paid // 3, "counted")] * 7 + [(paid, "over_refund"), (99, "unknown_order"), (98, "other_currency")]
        )
        if outcome == "unknown_order":
            refund["order_id"] = f"unknown-{order_id}"
        if outcome == "other_currency":
            refund["currency"] = "JPY"
        counted = min(amount, left) if outcome in ("counted", "over_refund") else 0
        if outcome in ("counted", "over_refund"):
            outcome = "counted" if counted == amount else "over_refund"
        left -= counted
        rows[tables.SILVER_REFUNDS].append(refund | {"amount_minor": amount, "outcome": outcome, "counted_minor": counted})
        named = {"refund_id": refund["refund_id"], "order_id": refund["order_id"], "amount_minor": 0, "counted_minor": 0}
        named |= {"outcome": outcome if outcome in ("unknown_order", "other_currency") else "counted"}
        # Some name items for more than went back.
        of_item = lines[0]["net_minor"] if int(order_id[1:]) % 3 == 0 else 300
        named |= {"amount_minor": of_item, "counted_minor": of_item} if part == 0 and counted else {}
        rows[tables.SILVER_REFUND_LINES].append(lines[0] | named)


def make_paths(folder: Path) -> Paths:
    """A platform with both shops registered."""
    paths = Paths.of(settings_in(folder / "var"))
    shops = Shops()
    for shop_id, zone in ZONES.items():
        shops.add(Shop(shop_id=shop_id, name=shop_id.upper(), time_zone=zone))
    shops.save(paths.shops_file)
    return paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return make_paths(tmp_path)


@pytest.fixture(scope="session")
def silver() -> Silver:
    return make_silver()


@pytest.fixture(scope="session")
def built(silver: Silver, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A platform whose marts are built and published from ``silver``."""
    platform_paths = make_paths(tmp_path_factory.mktemp("marts"))
    silver.publish(platform_paths.var)
    messages: list[str] = []
    marts.build(settings_in(platform_paths.var), messages.append)
    assert messages
    return platform_paths


@pytest.fixture
def working(built: Paths) -> Iterator[duckdb.DuckDBPyConnection]:
    """dbt's own database, with every model."""
    with duckdb.connect(str(built.warehouse / "build.duckdb"), read_only=True) as connection:
        yield connection
