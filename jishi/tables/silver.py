"""Silver: what the accepted events say, cleaned and by subject (spark_jobs.silver)."""

from __future__ import annotations

from jishi.tables.schema import BY_BATCH, BY_SHOP, TableSchema

_STAMP = {"home_currency": "string", "fx_rate": "string", "fx_rate_date": "date"}
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
        "share_id": "string",  # the share link that the event names
        "shared_by": "string",  # who made it, as the event that opened it says
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
    "One accepted event that is kept out of the good stream, with its reason (outcome: invalid, claim or future).",
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
        "home_currency": "string",
        "home_unit_price_minor": "int64",
        "stock": "int64",
        "status": "string",
        "region": "string",
        "unit_cost_minor": "int64",  # null: unknown
        "stocked_at": "instant",  # null: unknown
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
        "referrer": "string",
        "device": "string",
        "city": "string",
        "share_id": "string",  # the first share link by which the visit came to the shop or an item
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
    }
    | _STAMP
    | {
        "lines": "int64",
        "units": "int64",
        "gross_minor": "int64",
        "discount_minor": "int64",
        "shipping_minor": "int64",
        "paid_minor": "int64",
        "home_gross_minor": "int64",
        "home_discount_minor": "int64",
        "home_shipping_minor": "int64",
        "home_paid_minor": "int64",
        "coupons": "int64",
        "channel": "string",
        "campaign": "string",
        "device": "string",
        "city": "string",
        "share_id": "string",
        "group_buy_id": "string",
        "delivery_region": "string",  # null: unknown
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
        "home_gross_minor": "int64",
        "home_discount_minor": "int64",
        "home_net_minor": "int64",
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
    }
    | _STAMP
    | {
        "amount_minor": "int64",
        "home_amount_minor": "int64",
        "reason": "string",
        "outcome": "string",  # jishi.refunds.RefundOutcome
        "counted_minor": "int64",  # of amount_minor: as much as its order had left
    },
    partition=BY_BATCH,
)
SILVER_REFUND_LINES = TableSchema(
    "silver/refund_lines",
    "One item of one refund, as much of it as the order's lines of the item had left; lines of one item are added up.",
    ("shop_id", "refund_id", "item_id"),
    _SILVER_HEAD
    | {
        "refund_id": "string",
        "order_id": "string",
        "item_id": "string",
        "quantity": "int64",
        "amount_minor": "int64",
        "outcome": "string",
        "counted_minor": "int64",
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
    SILVER_REFUND_LINES,
    SILVER_INTERACTIONS,
)
