"""Bronze: events as they were accepted, and the exchange rates and marketing spend of a shop; nothing derived."""

from __future__ import annotations

from jishi.tables.schema import BY_SHOP, TableSchema

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
    # What a stream could not know: the date on the shop's clock; and the channel, which it would have to read the line for.
    # Bronze keeps neither: both follow from the line.
    _RECORD | {"occurred_date": "string", "channel": "string"},
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

BRONZE_FX_RATES = TableSchema(
    "bronze/fx_rates",
    "What one unit of a currency is worth in a shop's home currency from a date on: rate = rate_units / 10^rate_scale.",
    ("shop_id", "home_currency", "currency", "rate_date"),
    {
        "shop_id": "string",
        "home_currency": "string",
        "currency": "string",
        "rate_date": "date",
        "rate": "string",
        "rate_units": "int64",
        "rate_scale": "int32",
        "loaded_at": "instant",
    },
    partition=BY_SHOP,
)

BRONZE_SPEND = TableSchema(
    "bronze/spend",
    "What a shop spent on one channel, or on one campaign of it, on one date of the shop's time zone; an import restates it.",
    ("shop_id", "spend_date", "channel", "campaign"),
    {
        "shop_id": "string",
        "spend_date": "date",
        "channel": "string",
        "campaign": "string",  # null: of the channel as a whole
        "amount_minor": "int64",
        "currency": "string",
        "clicks": "int64",
        "impressions": "int64",
        "loaded_at": "instant",
    },
    partition=BY_SHOP,
)
