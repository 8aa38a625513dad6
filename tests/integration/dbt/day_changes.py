"""What a later silver says that an earlier one did not, as changes of its rows: new days, and all that reaches back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from jishi import tables
from jishi.tables import TableSchema
from tests.integration.dbt.conftest import START, Rows, local_date

AllRows = dict[TableSchema, Rows]
Change = Callable[[AllRows], None]
KNOWN = (tables.SILVER_EVENTS, tables.SILVER_ORDERS, tables.SILVER_REFUNDS)
OF_PERSONS = (
    *(tables.SILVER_EVENTS, tables.SILVER_SESSIONS, tables.SILVER_ORDERS),
    *(tables.SILVER_ORDER_LINES, tables.SILVER_REFUNDS, tables.SILVER_REFUND_LINES),
)


def known_by(rows: AllRows, instant: datetime) -> AllRows:
    """The rows that are known by an instant: events, orders and refunds by their receipt, visits by their start."""
    known = {schema: [row for row in rows[schema] if row["received_at"] < instant] for schema in KNOWN}
    known[tables.SILVER_SESSIONS] = [row for row in rows[tables.SILVER_SESSIONS] if row["started_at"] < instant]
    for parts, wholes, key in (
        (tables.SILVER_ORDER_LINES, tables.SILVER_ORDERS, "order_id"),
        (tables.SILVER_REFUND_LINES, tables.SILVER_REFUNDS, "refund_id"),
    ):
        ids = {(row["shop_id"], row[key]) for row in known[wholes]}
        known[parts] = [row for row in rows[parts] if (row["shop_id"], row[key]) in ids]
    return copied(rows | known)


def copied(rows: AllRows) -> AllRows:
    """The same rows, to be changed."""
    return {schema: [dict(row) for row in table] for schema, table in rows.items()}


def event_of(shop_id: str, person_id: str, at: datetime, event_id: str, **fields: Any) -> dict[str, Any]:
    """An event of a person that came in time."""
    event = {"shop_id": shop_id, "person_id": person_id, "event_id": event_id, "occurred_at": at, "received_at": at}
    event |= {"batch": "history", "occurred_date": local_date(shop_id, at), "is_late": False, "line": "{}"}
    return event | {"anonymous_id": f"device-{event_id}", "type": "item_viewed", "item_id": "i2"} | fields


def visit_of(shop_id: str, person_id: str, at: datetime, key: str, **fields: Any) -> dict[str, Any]:
    """A visit of a person on the device ``device-KEY``."""
    visit = {"shop_id": shop_id, "person_id": person_id, "session_key": key, "anonymous_id": f"device-{key}"}
    visit |= {"started_at": at, "ended_at": at, "started_date": local_date(shop_id, at), "device": "web", "channel": "app"}
    return visit | dict.fromkeys(("searches", "adds", "checkouts", "orders", "shares"), 0) | {"views": 1, "events": 1} | fields


def late_view_after_midnight(rows: AllRows) -> None:
    """A view comes late that lies in a visit of the day before: that day's visits of the item are one more."""
    at = START + timedelta(days=12, hours=16, minutes=1)
    rows[tables.SILVER_EVENTS].append(event_of("a", "owl", at, "late-owl", anonymous_id="device-owl", item_id="i4"))


def refunds_after_months(rows: AllRows) -> None:
    """Two old orders come back, one of them wholly."""
    for order, share in zip(sorted(rows[tables.SILVER_ORDERS], key=lambda row: row["paid_at"])[:2], (1, 3), strict=True):
        back = START + timedelta(days=42)
        refund = {name: order[name] for name in ("shop_id", "order_id", "person_id", "currency")}
        refund |= {"refund_id": f"old-{order['order_id']}", "refunded_at": back, "received_at": back, "outcome": "counted"}
        refund |= {"refunded_date": local_date(order["shop_id"], back), "batch": "history"}
        amount = order["paid_minor"] // share
        rows[tables.SILVER_REFUNDS].append(refund | {"amount_minor": amount, "counted_minor": amount})


def visit_moves_to_another_person(rows: AllRows) -> None:
    """A login tells that an old paying visit was another person's: all that hangs on it moves."""
    order = sorted(rows[tables.SILVER_ORDERS], key=lambda row: row["paid_at"])[3]
    shop_id, device, order_id = order["shop_id"], order["anonymous_id"], order["order_id"]
    for schema in OF_PERSONS:
        for row in rows[schema]:
            if row["shop_id"] == shop_id and (row.get("anonymous_id") == device or row.get("order_id") == order_id):
                row["person_id"] = "p-another"


def repaired_day(rows: AllRows) -> None:
    """A day is imported again: it lacks some events, one has another item, and an order line too."""
    day = date(2026, 9, 14)
    events = rows[tables.SILVER_EVENTS]
    of_day = [row for row in events if row["occurred_date"] == day and row["type"] == "item_viewed"]
    assert len(of_day) > 2
    of_day[0]["item_id"] = "i3"
    rows[tables.SILVER_EVENTS] = [row for row in events if row is not of_day[1]]
    line = next(row for row in rows[tables.SILVER_ORDER_LINES] if row["paid_date"] > day)
    line["item_id"] = "i0" if line["item_id"] != "i0" else "i1"


def bots_come_and_go(rows: AllRows) -> None:
    """A person of many days turns out to be a bot, and one who was a bot is none."""
    at = START + timedelta(days=40)
    views = [
        event_of("a", "p5", at + timedelta(seconds=n), f"fast-{n}", anonymous_id="device-fast", item_id="i1") for n in range(31)
    ]
    rows[tables.SILVER_EVENTS] += views
    rows[tables.SILVER_SESSIONS].append(
        visit_of("a", "p5", at, "fast", views=31, events=31, ended_at=at + timedelta(seconds=30))
    )
    [was_bot] = [row for row in rows[tables.SILVER_SESSIONS] if row["session_key"] == "bot" and row["shop_id"] == "b"]
    was_bot |= {"ended_at": was_bot["ended_at"] + timedelta(minutes=5)}


def visit_is_cut_at_midnight(rows: AllRows) -> None:
    """The shop lets visits end at midnight: silver makes two of one."""
    [visit] = [row for row in rows[tables.SILVER_SESSIONS] if row["session_key"] == "owl" and row["shop_id"] == "b"]
    second = visit["started_at"] + timedelta(minutes=4)
    rows[tables.SILVER_SESSIONS].append(visit | {"session_key": "owl-2", "started_at": second, "views": 1, "events": 1})
    rows[tables.SILVER_SESSIONS][-1]["started_date"] = local_date("b", second)
    visit |= {"ended_at": visit["started_at"], "views": 1, "events": 1}


def share_link_gets_another_sharer(rows: AllRows) -> None:
    """An earlier event tells who made a link, by which others came long ago."""
    shared = {"type": "item_shared", "share_id": "h0", "item_id": "i1"}
    rows[tables.SILVER_EVENTS].append(event_of("a", "p2", START + timedelta(hours=3), "earlier-share", **shared))


def catalogue_changes(rows: AllRows) -> None:
    """Items get another category, a first one, and none any more."""
    items = rows[tables.SILVER_ITEMS]
    items.append(items[0] | {"item_id": "i6", "category": "鞋"})
    items[1] |= {"category": "包"}
    rows[tables.SILVER_ITEMS] = [row for row in items if (row["shop_id"], row["item_id"]) != ("b", "i2")]


def order_without_person(rows: AllRows) -> None:
    """The person of an order is not known any more."""
    sorted(rows[tables.SILVER_ORDERS], key=lambda row: row["paid_at"])[6]["person_id"] = None


def user_alone_acts(rows: AllRows) -> None:
    """An act with a user id alone, whose device a late event of the user tells: it joins the device's old visit."""
    at = START + timedelta(days=15)
    user = {"user_id": "u9", "batch": "history"}
    rows[tables.SILVER_EVENTS] += [
        event_of("a", "u:u9", at, "u9-0", anonymous_id="device-u9", **user),
        event_of("a", "u:u9", at + timedelta(minutes=20), "u9-1", anonymous_id=None, **user),
    ]
    visit = visit_of("a", "u:u9", at, "u9", user_id="u9", events=2, views=2)
    rows[tables.SILVER_SESSIONS].append(visit | {"ended_at": at + timedelta(minutes=20)})


def order_before_the_storefront(rows: AllRows) -> None:
    """An order of before the shop's first act in its pages, of whose items nobody knows who looked at them."""
    at = START - timedelta(days=6)
    known = next(row for row in rows[tables.SILVER_ORDERS] if row["shop_id"] == "b" and row["person_id"])
    new = {"order_id": "older", "paid_at": at, "paid_date": at.date(), "received_at": at, "event_id": "older"}
    lines = [row for row in rows[tables.SILVER_ORDER_LINES] if (row["shop_id"], row["order_id"]) == ("b", known["order_id"])]
    rows[tables.SILVER_ORDERS].append(known | new)
    rows[tables.SILVER_ORDER_LINES] += [line | {name: new[name] for name in new.keys() & line.keys()} for line in lines]
    line = '{"properties":{"order_id":"older"}}'
    event = event_of("b", known["person_id"], at, "older", type="order_paid", item_id=None, line=line)
    rows[tables.SILVER_EVENTS].append(event)


def rates_change(rows: AllRows) -> None:
    """Dollars are worth half as much."""
    rows[tables.BRONZE_FX_RATES][0] |= {"rate": "3.50", "rate_units": 350}


def channels_are_fitted_anew(rows: AllRows) -> None:
    """The effects of channels are others."""
    for row in rows[tables.CHANNEL_EFFECTS]:
        row["effect"] = 1 - row["effect"]


REACHING_BACK: tuple[Change, ...] = (
    *(late_view_after_midnight, refunds_after_months, visit_moves_to_another_person, repaired_day, bots_come_and_go),
    *(visit_is_cut_at_midnight, share_link_gets_another_sharer, order_without_person, user_alone_acts),
    order_before_the_storefront,
)
