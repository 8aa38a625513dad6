"""The event contract: every released event still passes, and what is wrong is refused with reason, field and fix."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.contract import EVENT_TYPES, Event, Refusal, check_event, event_json_schema, record_of
from jishi.contract.fields import parse_instant, to_ms
from jishi.contract.validation import REASONS
from jishi.tables import LOG_RECORD

GOLDEN = Path(__file__).parent.parent / "golden" / "contract_v1" / "events.jsonl"
LINES = GOLDEN.read_text().splitlines()


def golden(event_type: str) -> dict[str, Any]:
    """The released example of one type."""
    return next(event for event in map(orjson.loads, LINES) if event["type"] == event_type)


@pytest.mark.parametrize("line", LINES, ids=lambda line: orjson.loads(line)["type"])
def test_released_events_still_pass(line: str) -> None:
    event = check_event(orjson.loads(line), "lanting")
    assert isinstance(event, Event), event


def test_every_type_has_a_released_example() -> None:
    assert {orjson.loads(line)["type"] for line in LINES} == set(EVENT_TYPES)


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_json_schema_names_required_fields(event_type: str) -> None:
    schema = event_json_schema(event_type)
    assert schema["title"] == event_type
    assert {"event_id", "shop_id", "type", "occurred_at", "properties"} <= set(schema["required"])


# (what is done to a good item_viewed, reason, field)
BROKEN = [
    ({"event_id": None}, "wrong_type", "event_id"),  # null is not an id
    ({"event_id": ""}, "bad_id", "event_id"),  # empty id
    ({"event_id": 7}, "wrong_type", "event_id"),  # a number is not an id
    ({"type": None}, "missing_field", "type"),
    ({"type": "item_seen"}, "unknown_type", "type"),
    ({"type": ["item_viewed"]}, "unknown_type", "type"),
    ({"shop_id": "shanhai"}, "foreign_shop", "shop_id"),  # another shop than the key's
    ({"occurred_at": "2026-09-01 08:00:00"}, "bad_value", "occurred_at"),  # no offset
    ({"occurred_at": 1788220800}, "bad_value", "occurred_at"),  # seconds? milliseconds? nobody knows
    ({"occurred_at": "yesterday"}, "bad_value", "occurred_at"),
    ({"occurred_at": "1969-12-31T23:59:59Z"}, "bad_value", "occurred_at"),
    ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "bad_value", "occurred_at"),  # before year 1 in UTC
    ({"anonymous_id": None, "user_id": None}, "bad_value", "user_id"),  # nobody did it
    ({"schema_version": 2}, "bad_value", "schema_version"),
    ({"schema_version": True}, "wrong_type", "schema_version"),  # true equals 1 in Python, and is no number
    ({"occurred_at": "2026-W36-2T08:00:00Z"}, "bad_value", "occurred_at"),  # a week date, which only Python reads
    ({"user_id": "null"}, "bad_id", "user_id"),
    ({"properties": {"item_id": "Undefined"}}, "bad_id", "properties.item_id"),
    ({"properties": {"item_id": "i", "category": "a\0b"}}, "bad_value", "properties.category"),
    ({"properties": {}}, "missing_field", "properties.item_id"),
    ({"properties": {"item_id": 5}}, "wrong_type", "properties.item_id"),
    ({"properties": {"item_id": "i", "unit_price_minor": "199"}}, "wrong_type", "properties.unit_price_minor"),
    ({"properties": {"item_id": "i", "unit_price_minor": -1}}, "bad_value", "properties.unit_price_minor"),
    ({"properties": {"item_id": "i", "unit_price_minor": 1.5}}, "wrong_type", "properties.unit_price_minor"),
    ({"properties": "i-1"}, "wrong_type", "properties"),
    ({"context": []}, "wrong_type", "context"),
]


@pytest.mark.parametrize(("change", "reason", "field"), BROKEN)
def test_a_broken_event_is_refused_by_name(change: dict[str, Any], reason: str, field: str) -> None:
    refusal = check_event(golden("item_viewed") | change, "lanting")
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.field) == (reason, field)
    assert refusal.detail


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("page_veiw", ", perhaps 'page_viewed'"),
        ("Add_To_Cart", ", perhaps 'item_added_to_cart'"),
        ("purchase", ""),
        ("x" * 5_000, ""),
        ("\ud800", ""),
        (7, ""),
    ],
)
def test_a_type_that_was_typed_wrong_is_answered_with_the_near_one(name: object, near: str) -> None:
    refusal = check_event(golden("item_viewed") | {"type": name}, "lanting")
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "unknown_type"
    assert refusal.detail.endswith(f"' is not an event type{near}; see docs/events.md for the list")
    assert len(refusal.detail) < 200


@pytest.mark.parametrize("field", ["event_id", "shop_id", "occurred_at", "properties"])
def test_a_missing_field_is_named(field: str) -> None:
    raw = golden("item_viewed")
    del raw[field]
    assert check_event(raw, "lanting") == Refusal("missing_field", field, f"add {field!r}")


def test_unknown_fields_are_kept_and_do_not_break() -> None:
    raw = golden("item_viewed")
    raw["loyalty_tier"] = "gold"
    raw["properties"]["shade"] = "黛青"
    record, result = record_of(raw, shop_id="lanting", collector_id="c", seq=0, collected_at_ms=1)
    assert isinstance(result, Event)
    kept = orjson.loads(record["line"])
    assert (kept["loyalty_tier"], kept["properties"]["shade"]) == ("gold", "黛青")


def test_record_has_the_columns_of_the_log() -> None:
    for line in LINES:
        record, _ = record_of(orjson.loads(line), shop_id="lanting", collector_id="c", seq=0, collected_at_ms=1, line=line)
        assert list(record) == list(LOG_RECORD.columns)
        assert record["line"] == line


def test_a_refused_event_is_kept_with_its_line() -> None:
    record, result = record_of([1, 2], shop_id="lanting", collector_id="c", seq=3, collected_at_ms=9)
    assert isinstance(result, Refusal)
    assert (record["invalid_reason"], record["line"], record["occurred_at_ms"]) == ("not_an_object", "[1,2]", None)


def test_order_line_net_rule() -> None:
    event = check_event(golden("order_paid"))
    assert isinstance(event, Event)
    # 1 × 19900 − 1000; the second line says 1000 although 3 × 333 is 999
    assert [line.net_minor for line in event.properties.lines] == [18900, 1000]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_check_never_raises_on_any_json(value: Any) -> None:
    result = check_event(value, "lanting")
    assert isinstance(result, Event) or result.reason in REASONS


@given(event_type=st.sampled_from(sorted(EVENT_TYPES)), data=st.data())
def test_check_never_raises_on_a_mutated_event(event_type: str, data: st.DataObject) -> None:
    raw = copy.deepcopy(golden(event_type))
    target = data.draw(st.sampled_from([raw, raw["properties"], raw["context"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(json_values)
    result = check_event(raw, "lanting")
    assert isinstance(result, Event) or (result.reason in REASONS and result.detail)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001 - the zone is drawn beside it
    st.integers(-14 * 60, 14 * 60),
)
def test_instants_keep_milliseconds_in_any_zone(naive: datetime, offset_minutes: int) -> None:
    instant = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    parsed = parse_instant(instant.isoformat())
    assert to_ms(parsed) == (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


ADDED = [
    ("recommendation_shown", {"reasons": ["popular", "new"], "is_person_known": False}),
    ("item_changed", {"unit_cost_minor": 0, "stocked_at": "2026-09-01T08:00:00.000Z"}),
    ("order_paid", {"delivery_region": "浙江"}),
]


@pytest.mark.parametrize(("event_type", "fields"), ADDED)
def test_what_was_added_is_unknown_when_it_is_left_out_or_null(event_type: str, fields: dict[str, Any]) -> None:
    raw = golden(event_type)
    for properties in (raw["properties"], raw["properties"] | dict.fromkeys(fields)):
        event = check_event(raw | {"properties": properties}, "lanting")
        assert isinstance(event, Event), event
        assert {name: getattr(event.properties, name) for name in fields} == dict.fromkeys(fields)
    assert isinstance(check_event(raw | {"properties": raw["properties"] | fields}, "lanting"), Event)


@pytest.mark.parametrize(
    ("event_type", "field", "value"),
    [
        ("recommendation_shown", "reasons", "popular"),
        ("recommendation_shown", "reasons", ["popular"] * 201),
        ("recommendation_shown", "is_person_known", 1),
        ("item_changed", "unit_cost_minor", -1),
        ("item_changed", "unit_cost_minor", "12"),
        ("item_changed", "stocked_at", "yesterday"),
        ("order_paid", "delivery_region", 310000),
    ],
)
def test_what_was_added_is_typed(event_type: str, field: str, value: Any) -> None:
    raw = golden(event_type)
    result = check_event(raw | {"properties": raw["properties"] | {field: value}}, "lanting")
    assert isinstance(result, Refusal)
    assert result.field.startswith(f"properties.{field}")


@pytest.mark.parametrize(
    "sent", ["2026-09-01 08:00:00,5+0800", "2026-09-01t00:00:00.5004z", "2026-09-01T00:00:00.500Z", "2026-08-31T20:00:00.5-04"]
)
def test_an_instant_among_the_properties_has_one_form_in_the_line(sent: str) -> None:
    """Engines read it from the line, each with a parser of its own."""
    raw = golden("item_changed")
    raw["properties"]["stocked_at"] = sent
    record, refusal = record_of(raw, shop_id="lanting", collector_id="c", seq=0, collected_at_ms=0)
    assert not isinstance(refusal, Refusal)
    line = orjson.loads(record["line"])
    assert line["properties"]["stocked_at"] == "2026-09-01T00:00:00.500Z"
    assert line["occurred_at"] == raw["occurred_at"]
