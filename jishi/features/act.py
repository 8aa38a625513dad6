"""Acts: what features count. Defined once here; the oracle reads the definition, the compilers write it in their language.

A good event is one act of its own type. Some events hold more: every line of an order is an act of its item. Such *parts* have
kinds of their own (``line_paid``), so that a feature says which it means. Columns come from the record, or from the event's
line for the few types whose records do not carry them.

Money of one order adds up: ``amount_minor`` of ``order_paid`` is shipping less the discount of the whole order (it may be
negative), ``amount_minor`` of each ``line_paid`` what the line cost; together they are the paid amount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
# No amount of money in the contract is larger. A line's product is cut there for records of an earlier contract.
MOST_MINOR = 2**53 - 1

COLUMNS: dict[str, str] = {
    "person_id": "string",
    "item_id": "string",
    "category": "string",
    "session_id": "string",
    "share_id": "string",
    "group_buy_id": "string",
    "unit_price_minor": "int64",
    "quantity": "int64",
    "amount_minor": "int64",
    "occurred_at_ms": "int64",
    "hour_utc": "int64",
    "day_utc": "int64",
}
# Known of every act from its time alone, in UTC: a shop's local hour would depend on an engine's own time-zone tables.
OF_TIME = ("occurred_at_ms", "hour_utc", "day_utc")


@dataclass(frozen=True)
class FromRecord:
    """The record's column of the same name."""


@dataclass(frozen=True)
class FromProperties:
    """A field of the event's ``properties``."""

    field: str


@dataclass(frozen=True)
class FromElement:
    """A field of the list element that the act is made of; the element itself when ``field`` is None."""

    field: str | None


@dataclass(frozen=True)
class Formula:
    """An integer from several integer fields: ``sql`` with a placeholder for each field, which Flink and Spark both read, and
    its twin in Python.
    """

    fields: Mapping[str, FromProperties | FromElement]
    sql: str
    python: Callable[..., int | None]


Source = FromRecord | FromProperties | FromElement | Formula


@dataclass(frozen=True)
class ActKind:
    """A kind of act: the event type that holds it, the columns that it carries (besides those of time), and ``each``, the list
    property that gives one act an element.
    """

    name: str
    event_type: str
    columns: Mapping[str, Source]
    each: str | None = None

    @property
    def is_whole_event(self) -> bool:
        """Whether the act is the event itself, so that its place in the log is its own."""
        return self.name == self.event_type

    def carries(self, column: str) -> bool:
        """Whether acts of this kind can have a value in the column."""
        return column in OF_TIME or column in self.columns


def _net_of_line(amount_minor: int | None, quantity: int, unit_price_minor: int, discount_minor: int | None) -> int:
    if amount_minor is not None:
        return amount_minor
    return min(MOST_MINOR, max(0, quantity * unit_price_minor - (discount_minor or 0)))


def _order_adjustment(shipping_minor: int | None, discount_minor: int | None) -> int:
    return (shipping_minor or 0) - (discount_minor or 0)


NET_OF_LINE = Formula(
    {name: FromElement(name) for name in ("amount_minor", "quantity", "unit_price_minor", "discount_minor")},
    # Decimals: a product of two amounts that the contract allows does not fit 64 bits.
    f"COALESCE({{amount_minor}}, CAST(LEAST(CAST({MOST_MINOR} AS DECIMAL(38, 0)), GREATEST(CAST(0 AS DECIMAL(38, 0)), "
    "CAST({quantity} AS DECIMAL(18, 0)) * CAST({unit_price_minor} AS DECIMAL(18, 0)) "
    "- CAST(COALESCE({discount_minor}, 0) AS DECIMAL(18, 0)))) AS BIGINT))",
    _net_of_line,
)
ORDER_ADJUSTMENT = Formula(
    {name: FromProperties(name) for name in ("shipping_minor", "discount_minor")},
    "COALESCE({shipping_minor}, 0) - COALESCE({discount_minor}, 0)",
    _order_adjustment,
)

_RECORD = FromRecord()
_BY_PERSON: dict[str, Source] = {"person_id": _RECORD, "session_id": _RECORD}
_ITEM: dict[str, Source] = {"item_id": _RECORD}
_PRICED: dict[str, Source] = {**_ITEM, "category": _RECORD, "unit_price_minor": _RECORD}
_SHARE: dict[str, Source] = {"share_id": FromProperties("share_id")}
_GROUP: dict[str, Source] = {"group_buy_id": FromProperties("group_buy_id")}


def _whole(event_type: str, *columns: Mapping[str, Source]) -> ActKind:
    merged: dict[str, Source] = {**_BY_PERSON}
    for more in columns:
        merged |= more
    return ActKind(event_type, event_type, merged)


_KINDS = (
    _whole("item_viewed", _PRICED),
    _whole("search_performed"),
    _whole("item_added_to_cart", _PRICED, {"quantity": _RECORD}),
    _whole("item_removed_from_cart", _ITEM, {"quantity": _RECORD}),
    _whole("checkout_started"),
    _whole("order_paid", _SHARE, _GROUP, {"amount_minor": ORDER_ADJUSTMENT}),
    _whole("order_refunded", {"amount_minor": FromProperties("amount_minor")}),
    _whole("item_shared", _ITEM, _SHARE),
    _whole("share_opened", _ITEM, _SHARE),
    _whole("coupon_claimed"),
    _whole("coupon_redeemed"),
    _whole("group_buy_opened", _ITEM, _GROUP),
    _whole("group_buy_joined", _ITEM, _GROUP),
    ActKind("group_buy_completed", "group_buy_completed", {**_ITEM, **_GROUP}),
    _whole("bargain_started", _ITEM),
    _whole("bargain_helped", _ITEM),
    _whole("recommendation_shown"),
    _whole("recommendation_clicked", _ITEM),
    ActKind("item_changed", "item_changed", _PRICED),
    ActKind(
        "line_paid",
        "order_paid",
        {
            **_BY_PERSON,
            "item_id": FromElement("item_id"),
            "category": FromElement("category"),
            "quantity": FromElement("quantity"),
            "unit_price_minor": FromElement("unit_price_minor"),
            "amount_minor": NET_OF_LINE,
        },
        each="lines",
    ),
    ActKind(
        "line_refunded",
        "order_refunded",
        {
            **_BY_PERSON,
            "item_id": FromElement("item_id"),
            "quantity": FromElement("quantity"),
            "amount_minor": FromElement("amount_minor"),
        },
        each="lines",
    ),
    ActKind("item_recommended", "recommendation_shown", {**_BY_PERSON, "item_id": FromElement(None)}, each="item_ids"),
    # The same opening, counted for the person who shared the link.
    ActKind("share_brought", "share_opened", {"person_id": FromProperties("shared_by"), **_ITEM, **_SHARE}),
)
ACT_KINDS: dict[str, ActKind] = {kind.name: kind for kind in _KINDS}
_BY_EVENT_TYPE: dict[str, tuple[ActKind, ...]] = {
    event_type: tuple(kind for kind in _KINDS if kind.event_type == event_type) for event_type in {k.event_type for k in _KINDS}
}


def acts_of(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The acts of one good record (columns of ``jishi.tables.LOG_RECORD`` and ``received_at_ms``), the event itself first.

    Each has ``kind``, ``shop_id``, ``event_id``, ``received_at_ms`` and every column of ``COLUMNS``, None where its kind does
    not carry it.
    """
    kinds = _BY_EVENT_TYPE.get(record["type"], ())
    if not kinds:
        return
    properties = _properties_of(record) if any(_reads_line(kind) for kind in kinds) else {}
    at_ms = record["occurred_at_ms"]
    head = {name: record[name] for name in ("shop_id", "event_id", "received_at_ms")}
    time = {"occurred_at_ms": at_ms, "hour_utc": at_ms // HOUR_MS % 24, "day_utc": at_ms // DAY_MS}
    for kind in kinds:
        for element in (properties.get(kind.each) or []) if kind.each else [None]:
            columns = {name: _value(source, name, record, properties, element) for name, source in kind.columns.items()}
            yield {**dict.fromkeys(COLUMNS), **head, "kind": kind.name, **columns, **time}


def _properties_of(record: Mapping[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = orjson.loads(record["line"])["properties"]
    return properties


def _reads_line(kind: ActKind) -> bool:
    return kind.each is not None or any(not isinstance(source, FromRecord) for source in kind.columns.values())


def _value(source: Source, column: str, record: Mapping[str, Any], properties: dict[str, Any], element: Any) -> Any:
    if isinstance(source, FromRecord):
        return record[column]
    if isinstance(source, FromProperties):
        return properties.get(source.field)
    if isinstance(source, FromElement):
        return element if source.field is None else element.get(source.field)
    fields = {name: _value(field, name, record, properties, element) for name, field in source.fields.items()}
    return source.python(**fields)
