"""Columns of the lake's tables, declared once; each engine derives its own schema from here.

Types are ``string``, ``int32``, ``int64``, ``double``, ``bool``, ``date``, ``instant`` (a UTC instant with microseconds, stored
without a zone) and the lists ``floats`` (of 32-bit numbers), ``strings`` and ``int64s``. Money is in minor units of
``currency``. ``*_at`` is a UTC instant, ``*_date`` a date in the shop's time zone, ``*_ms`` epoch milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

# Shops share the files of their bucket: at 1,000 shops a partition for each would mean as many files a commit.
BY_SHOP = ("bucket(16, shop_id)",)
# A batch of a shop is replaced as a whole: its rows are files of their own.
BY_BATCH = ("batch", *BY_SHOP)
SPARK_TYPES = {
    "string": "STRING",
    "int32": "INT",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "instant": "TIMESTAMP_NTZ",
    "floats": "ARRAY<FLOAT>",
    "strings": "ARRAY<STRING>",
    "int64s": "ARRAY<BIGINT>",
}
FLINK_TYPES = SPARK_TYPES | {"instant": "TIMESTAMP(6)"}


@dataclass(frozen=True, eq=False)
class TableSchema:
    """A lake table: ``name`` is ``<namespace>/<table>``, ``grain`` says what one row is.

    ``partition`` has Iceberg's partition fields, ``day(column)``, ``bucket(n, column)`` or a column; none is one partition.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: dict[str, str]
    partition: tuple[str, ...] = ()

    @property
    def spark_ddl(self) -> str:
        """Schema string for Spark."""
        return ", ".join(f"`{c}` {SPARK_TYPES[t]}" for c, t in self.columns.items())

    @property
    def flink_ddl(self) -> str:
        """Column list for a Flink table."""
        return ", ".join(f"`{c}` {FLINK_TYPES[t]}" for c, t in self.columns.items())


_RECORD = {
    "collector_id": "string",
    "seq": "int64",
    "shop_id": "string",
    "event_id": "string",
    "type": "string",
    "schema_version": "int32",
    "occurred_at_ms": "int64",
    "collected_at_ms": "int64",
    "anonymous_id": "string",
    "user_id": "string",
    "person_id": "string",
    "session_id": "string",
    "item_id": "string",
    "category": "string",
    "unit_price_minor": "int64",
    "quantity": "int64",
    "invalid_reason": "string",
    "invalid_field": "string",
    "invalid_detail": "string",
    "sent_by": "string",  # server, page or import; null in records of an earlier version
    "line": "string",
}

LOG_RECORD = TableSchema(
    "log/events",
    "One accepted event as it travels through the log (jishi.contract.record).",
    ("collector_id", "seq"),
    _RECORD,
)

BRONZE_EVENTS = TableSchema(
    "bronze/events",
    "One accepted event, whatever its outcome, as known to the log; immutable.",
    ("collector_id", "seq"),
    _RECORD | {"received_at_ms": "int64", "log_partition": "int32", "log_offset": "int64"},
)

# Accepted events in Iceberg: two tables of the same columns, each with one writer. ``received_at`` is received_at_ms.
_IN_ICEBERG = BRONZE_EVENTS.columns | {"received_at": "instant", "outcome": "string"}
BRONZE_LIVE = TableSchema(
    "bronze/events",
    "One accepted event that came through the log, with the outcome that the stream gave it; appended by Flink, immutable.",
    BRONZE_EVENTS.key,
    _IN_ICEBERG,
    partition=("day(received_at)", *BY_SHOP),
)
BRONZE_HISTORY = TableSchema(
    "bronze/history",
    "One accepted event of a shop's imported history; an import replaces the shop's. No position in the log, no outcome.",
    BRONZE_EVENTS.key,
    _IN_ICEBERG,
    partition=BY_SHOP,
)

BRONZE_REPAIRS = TableSchema(
    "bronze/repairs",
    "The good record that a mapping made of a quarantined event; the event itself stays in bronze/events as it came.",
    ("collector_id", "seq"),
    _RECORD
    | {
        "received_at_ms": "int64",
        "repaired_at": "instant",
        "mapping": "string",
        "original_reason": "string",
        "original_field": "string",
        "is_repeated": "bool",  # another delivery of the event was known to be good before the repair
    },
    partition=BY_SHOP,
)

_SILVER_HEAD = {"shop_id": "string", "batch": "string"}
_POSITION = {"collector_id": "string", "seq": "int64", "received_at": "instant"}

SILVER_EVENTS = TableSchema(
    "silver/events",
    "One event that is good or late; the first delivery of each event_id. repaired_at: since when, if a repair made it good.",
    ("shop_id", "event_id"),
    _SILVER_HEAD
    | {
        "event_id": "string",
        "type": "string",
        "occurred_at": "instant",
        "received_at": "instant",
        "occurred_date": "date",
        "is_late": "bool",
        "person_id": "string",
        "anonymous_id": "string",
        "user_id": "string",
        "session_id": "string",
        "channel": "string",
        "campaign": "string",
        "referrer": "string",
        "device": "string",
        "city": "string",
        "item_id": "string",
        "category": "string",
        "unit_price_minor": "int64",
        "quantity": "int64",
        "repaired_at": "instant",
        "line": "string",
    },
    partition=BY_BATCH,
)
SILVER_DUPLICATES = TableSchema(
    "silver/duplicates",
    "One delivery of an event that was known before.",
    ("collector_id", "seq"),
    _SILVER_HEAD | {"event_id": "string", "type": "string"} | _POSITION | {"line": "string"},
    partition=BY_BATCH,
)
SILVER_QUARANTINE = TableSchema(
    "silver/quarantine",
    "One accepted event that is kept out of the good stream, with its reason (outcome: invalid or future).",
    ("collector_id", "seq"),
    _SILVER_HEAD
    | {
        "outcome": "string",
        "reason": "string",
        "field": "string",
        "detail": "string",
        "event_id": "string",
        "type": "string",
        "occurred_at": "instant",
    }
    | _POSITION
    | {"line": "string"},
    partition=BY_BATCH,
)
SILVER_ITEMS = TableSchema(
    "silver/items",
    "The catalogue: the newest state of one item of one shop (latest occurred_at, then received_at, then event_id).",
    ("shop_id", "item_id"),
    {
        "shop_id": "string",
        "item_id": "string",
        "title": "string",
        "title_en": "string",
        "category": "string",
        "brand": "string",
        "attributes": "string",
        "unit_price_minor": "int64",
        "currency": "string",
        "stock": "int64",
        "status": "string",
        "region": "string",
        "changed_at": "instant",
        "known_at": "instant",
    },
    partition=BY_SHOP,
)
SILVER_IDENTITY = TableSchema(
    "silver/identity",
    "One link of a device to a user (jishi.identity): when it is active, since when it is known and by which event.",
    ("shop_id", "anonymous_id", "user_id", "valid_from"),
    {
        "shop_id": "string",
        "anonymous_id": "string",
        "user_id": "string",
        "valid_from": "instant",
        "valid_to": "instant",
        "first_at": "instant",
        "last_at": "instant",
        "known_at": "instant",
        "first_event_id": "string",
        "events": "int64",
        "reason": "string",  # jishi.identity.LinkReason; only `login` joins the device to the user
    },
    partition=BY_SHOP,
)
VISIT_PAUSE_S = 30 * 60  # a visit ends after a longer time without an event on the device
SILVER_SESSIONS = TableSchema(
    "silver/sessions",
    "One visit of one person on one device: events at most 30 minutes apart; without anonymous_id one of a user alone.",
    ("shop_id", "session_key"),
    {
        "shop_id": "string",
        "session_key": "string",
        "person_id": "string",
        "anonymous_id": "string",
        "user_id": "string",
        "started_at": "instant",
        "ended_at": "instant",
        "started_date": "date",
        "channel": "string",
        "campaign": "string",
        "device": "string",
        "city": "string",
        "events": "int64",
        "views": "int64",
        "searches": "int64",
        "adds": "int64",
        "checkouts": "int64",
        "orders": "int64",
        "shares": "int64",
    },
    partition=BY_SHOP,
)
SILVER_ORDERS = TableSchema(
    "silver/orders",
    "One paid order.",
    ("shop_id", "order_id"),
    _SILVER_HEAD
    | {
        "order_id": "string",
        "event_id": "string",
        "person_id": "string",
        "user_id": "string",
        "session_id": "string",
        "paid_at": "instant",
        "received_at": "instant",
        "paid_date": "date",
        "currency": "string",
        "lines": "int64",
        "units": "int64",
        "gross_minor": "int64",
        "discount_minor": "int64",
        "shipping_minor": "int64",
        "paid_minor": "int64",
        "coupons": "int64",
        "channel": "string",
        "campaign": "string",
        "device": "string",
        "city": "string",
        "share_id": "string",
        "group_buy_id": "string",
    },
    partition=BY_BATCH,
)
SILVER_ORDER_LINES = TableSchema(
    "silver/order_lines",
    "One line of one paid order, in the order's own sequence.",
    ("shop_id", "order_id", "line_number"),
    _SILVER_HEAD
    | {
        "order_id": "string",
        "line_number": "int32",
        "person_id": "string",
        "paid_at": "instant",
        "paid_date": "date",
        "item_id": "string",
        "category": "string",
        "quantity": "int64",
        "unit_price_minor": "int64",
        "discount_minor": "int64",
        "net_minor": "int64",
        "coupon_id": "string",
    },
    partition=BY_BATCH,
)
SILVER_REFUNDS = TableSchema(
    "silver/refunds",
    "One refund of one order, whole or in part.",
    ("shop_id", "refund_id"),
    _SILVER_HEAD
    | {
        "refund_id": "string",
        "order_id": "string",
        "person_id": "string",
        "refunded_at": "instant",
        "received_at": "instant",
        "refunded_date": "date",
        "currency": "string",
        "amount_minor": "int64",
        "reason": "string",
    },
    partition=BY_BATCH,
)
SILVER_INTERACTIONS = TableSchema(
    "silver/interactions",
    "One act of a person towards one item: view, add, pay or share (kind); an order line gives one pay.",
    ("shop_id", "event_id", "item_id", "line_number"),
    _SILVER_HEAD
    | {
        "event_id": "string",
        "line_number": "int32",
        "person_id": "string",
        "item_id": "string",
        "kind": "string",
        "quantity": "int64",
        "occurred_at": "instant",
        "received_at": "instant",
    },
    partition=BY_BATCH,
)

SILVER = (
    SILVER_EVENTS,
    SILVER_DUPLICATES,
    SILVER_QUARANTINE,
    SILVER_ITEMS,
    SILVER_IDENTITY,
    SILVER_SESSIONS,
    SILVER_ORDERS,
    SILVER_ORDER_LINES,
    SILVER_REFUNDS,
    SILVER_INTERACTIONS,
)

ITEM_NEIGHBOURS = TableSchema(
    "recommendations/item_neighbours",
    "One neighbour of one item by co-occurrence within orders or persons (within); neighbour_rank 1 is the nearest.",
    ("shop_id", "within", "item_id", "neighbour_id"),
    {
        "shop_id": "string",
        "within": "string",
        "item_id": "string",
        "neighbour_id": "string",
        "neighbour_rank": "int32",
        "together": "int64",
        "item_baskets": "int64",
        "neighbour_baskets": "int64",
        "baskets": "int64",
        "support": "double",
        "lift": "double",
        "cosine": "double",
    },
    partition=BY_SHOP,
)
ALS_ITEM_FACTORS = TableSchema(
    "recommendations/als_item_factors",
    "The factors of one item from the last factorisation of its shop; item · person is the predicted preference.",
    ("shop_id", "item_id"),
    {"shop_id": "string", "item_id": "string", "factors": "floats"},
    partition=BY_SHOP,
)
ALS_PERSON_FACTORS = TableSchema(
    "recommendations/als_person_factors",
    "The factors of one person from the same factorisation as the item factors.",
    ("shop_id", "person_id"),
    {"shop_id": "string", "person_id": "string", "factors": "floats"},
    partition=BY_SHOP,
)
PERSON_CANDIDATES = TableSchema(
    "recommendations/person_candidates",
    "One item that may be shown to one person, by the neighbours of the items of the person's history; place 1 is the best.",
    ("shop_id", "person_id", "item_id"),
    {
        "shop_id": "string",
        "person_id": "string",
        "item_id": "string",
        "place": "int32",
        "score": "double",
        "because_item_id": "string",  # the item of the history that gave most of the score
    },
    partition=BY_SHOP,
)
RECOMMENDATIONS = (ITEM_NEIGHBOURS, ALS_ITEM_FACTORS, ALS_PERSON_FACTORS, PERSON_CANDIDATES)


def _before_cut(schema: TableSchema) -> TableSchema:
    return replace(
        schema,
        name=f"{schema.name}_before",
        grain=f"A row of {schema.name} as learnt from what had happened and was known before known_before; one cut a shop.",
        columns=schema.columns | {"known_before": "instant"},
    )


# Tables of their own, so that whoever reads what all acts taught never meets the rows of a cut.
BEFORE_CUT = {schema: _before_cut(schema) for schema in RECOMMENDATIONS}

ONLINE_PARITY = TableSchema(
    "features/online_parity",
    "One feature on one UTC date: sampled values that serving used, compared with the log (quality.parity.online).",
    ("read_on", "feature"),
    {
        "read_on": "date",
        "feature": "string",
        "reads": "int64",
        "mismatched": "int64",
        "missing": "int64",
        "too_old": "int64",
        "drift": "double",
        "age_p50_ms": "int64",
        "age_max_ms": "int64",
        "behind_max_ms": "int64",
    },
)

# Every table that the lake has from its start; features and training sets derive theirs from what they hold.
TABLES = (BRONZE_LIVE, BRONZE_HISTORY, BRONZE_REPAIRS, *SILVER, *RECOMMENDATIONS, *BEFORE_CUT.values(), ONLINE_PARITY)
