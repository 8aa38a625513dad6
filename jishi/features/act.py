"""Acts: what features count. Defined once here; the oracle reads the definition, the compilers write it in their language.

A good event is one act of its own type. Some events hold more: every line of an order is an act of its item. Such *parts* have
kinds of their own (``line_paid``), so that a feature says which it means. Columns come from the record, or from the event's
line for the few types whose records do not carry them.

Money is in the shop's home currency (unit ``home_minor``): the stamp of the event, or what came where it has none; without a
rate it is null and never counts (``jishi.contract.home_money``). Money of one order adds up: ``amount_minor`` of
``order_paid`` is shipping less the discount of the whole order (it may be negative), of each ``line_paid`` what the line cost;
together they are the paid amount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from jishi.features.zones import NO_ZONES, Zones, offset_ms
from jishi.identity import DEVICE, USER, device_person, named_elsewhere, user_person
from jishi.money import HOME_CURRENCY, MOST_MINOR

HOUR_MS = 3_600_000
DAY_MS = 86_400_000

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
    "is_own_share": "int64",
    "occurred_at_ms": "int64",
    "hour_local": "int64",
    "day_local": "int64",
}
# Known of every act from its time alone; hour (0-23) and day (since 1970-01-01) by the clocks of the shop's time zone.
LOCAL = ("hour_local", "day_local")
OF_TIME = ("occurred_at_ms", *LOCAL)


@dataclass(frozen=True)
class FromRecord:
    """The record's column of the same name."""


@dataclass(frozen=True)
class FromProperties:
    """A field of the event's ``properties``; ``kind`` is its type where it is not that of the column or formula."""

    field: str
    kind: str | None = None


@dataclass(frozen=True)
class FromPersonId:
    """A field of ``properties`` that names a person, as a person id (``jishi.identity.named_elsewhere``).

    ``sql`` has a placeholder for the field, which Flink and Spark both read.
    """

    field: str
    sql: str = (
        f"CASE WHEN SUBSTRING({{field}}, 1, 2) IN ('{USER}', '{DEVICE}') THEN {{field}} "
        f"WHEN {{field}} IS NOT NULL THEN CONCAT('{USER}', {{field}}) END"
    )


@dataclass(frozen=True)
class IsSender:
    """1 where a field of ``properties`` names a person who is the event's own user or device, else 0.

    ``sql`` has a placeholder for the field as a person id, which Flink and Spark both read.
    """

    person: FromPersonId
    sql: str = (
        f"CASE WHEN {{person}} = CONCAT('{USER}', user_id) OR {{person}} = CONCAT('{DEVICE}', anonymous_id) THEN 1 ELSE 0 END"
    )
    reads: tuple[str, ...] = ("user_id", "anonymous_id")  # columns of the record


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

    def or_stamped(self, stamp: Mapping[str, FromProperties | FromElement], sql: str, python: Callable[..., int]) -> Formula:
        """The same of an event in the home currency; of a stamped one ``sql`` and ``python`` of the fields of its ``stamp``,
        null where any of them is.
        """
        fields = {HOME_CURRENCY: FromProperties(HOME_CURRENCY, "string"), **self.fields, **stamp}

        def either(**values: Any) -> int | None:
            if values[HOME_CURRENCY] is None:
                return self.python(**{name: values[name] for name in self.fields})
            stamped = [values[name] for name in stamp]
            return None if None in stamped else python(*stamped)

        return Formula(fields, f"CASE WHEN {{{HOME_CURRENCY}}} IS NULL THEN {self.sql} ELSE {sql} END", either)


Source = FromRecord | FromProperties | FromPersonId | IsSender | FromElement | Formula


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
).or_stamped({"home_net_minor": FromElement("home_net_minor")}, "{home_net_minor}", lambda net: net)
ORDER_ADJUSTMENT = Formula(
    {name: FromProperties(name) for name in ("shipping_minor", "discount_minor")},
    "COALESCE({shipping_minor}, 0) - COALESCE({discount_minor}, 0)",
    _order_adjustment,
).or_stamped(
    {name: FromProperties(name) for name in ("home_shipping_minor", "home_discount_minor")},
    "{home_shipping_minor} - {home_discount_minor}",
    lambda shipping, discount: shipping - discount,
)


def _of_element(name: str) -> Formula:
    """Money of a list's element, from its stamp where the event has one."""
    return _itself(FromElement(name), FromElement(f"home_{name}"))


def _itself(came: FromProperties | FromElement, home: FromProperties | FromElement) -> Formula:
    native = Formula({"came": came}, "{came}", lambda came: came)
    return native.or_stamped({"home": home}, "{home}", lambda home: home)


_RECORD = FromRecord()
_BY_PERSON: dict[str, Source] = {"person_id": _RECORD, "session_id": _RECORD}
_ITEM: dict[str, Source] = {"item_id": _RECORD}
_PRICED: dict[str, Source] = {**_ITEM, "category": _RECORD, "unit_price_minor": _RECORD}
_SHARE: dict[str, Source] = {"share_id": FromProperties("share_id")}
_OWN_SHARE: dict[str, Source] = {"is_own_share": IsSender(FromPersonId("shared_by"))}
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
    _whole("order_refunded", {"amount_minor": _itself(FromProperties("amount_minor"), FromProperties("home_amount_minor"))}),
    _whole("item_shared", _ITEM, _SHARE),
    _whole("share_opened", _ITEM, _SHARE, _OWN_SHARE),
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
            "unit_price_minor": _of_element("unit_price_minor"),
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
            "amount_minor": _of_element("amount_minor"),
        },
        each="lines",
    ),
    ActKind("item_recommended", "recommendation_shown", {**_BY_PERSON, "item_id": FromElement(None)}, each="item_ids"),
    # The same opening, counted for the person who shared the link.
    ActKind("share_brought", "share_opened", {"person_id": FromPersonId("shared_by"), **_ITEM, **_SHARE, **_OWN_SHARE}),
)
ACT_KINDS: dict[str, ActKind] = {kind.name: kind for kind in _KINDS}
_BY_EVENT_TYPE: dict[str, tuple[ActKind, ...]] = {
    event_type: tuple(kind for kind in _KINDS if kind.event_type == event_type) for event_type in {k.event_type for k in _KINDS}
}


def acts_of(record: Mapping[str, Any], zones: Zones = NO_ZONES) -> Iterator[dict[str, Any]]:
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
    local_ms = at_ms + offset_ms(zones.get(record["shop_id"], "UTC"), at_ms)
    time = {"occurred_at_ms": at_ms, "hour_local": local_ms // HOUR_MS % 24, "day_local": local_ms // DAY_MS}
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
    if isinstance(source, FromPersonId):
        named = properties.get(source.field)
        return None if named is None else named_elsewhere(named)
    if isinstance(source, IsSender):
        named = _value(source.person, column, record, properties, element)
        return int(named is not None and named in _ids_of(record))
    if isinstance(source, FromElement):
        return element if source.field is None else element.get(source.field)
    fields = {name: _value(field, name, record, properties, element) for name, field in source.fields.items()}
    return source.python(**fields)


def _ids_of(record: Mapping[str, Any]) -> set[str]:
    """Both ids that an event names, as person ids."""
    user_id, anonymous_id = record["user_id"], record["anonymous_id"]
    users = set() if user_id is None else {user_person(user_id)}
    return users if anonymous_id is None else users | {device_person(anonymous_id)}
