"""A feature message becomes a row, or is refused with the field that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jishi.features import views
from jishi.features.message import BadMessage, FeatureRow, parse

VIEWS = views()
GOOD: dict[str, Any] = {
    "view": "person_last_20",
    "shop_id": "lanting",
    "entity_id": "u-1",
    "as_of_ms": 1_790_000_000_123,
    "valid_until_ms": None,
    "values": {"last_items": ["i-2", "i-1"], "last_items_known_ms": [1_790_000_000_123, 1_790_000_000_000]},
}


def test_a_message_becomes_a_row_with_keys_times_and_position() -> None:
    row = parse(orjson.dumps(GOOD), 7, VIEWS)
    at = datetime(2026, 9, 21, 14, 13, 20, 123_000, tzinfo=UTC)
    assert row == FeatureRow(
        "person_last_20",
        1_790_000_000_123,
        {
            "shop_id": "lanting",
            "person_id": "u-1",
            "event_timestamp": at,
            "created_timestamp": at,
            "valid_until_ms": None,
            "log_offset": 7,
            "last_items": ["i-2", "i-1"],
            "last_items_known_ms": [1_790_000_000_123, 1_790_000_000_000],
        },
    )


@pytest.mark.parametrize(
    ("change", "message_field"),
    [
        ({"view": "no_such_view"}, "view"),
        ({"view": None}, "view"),
        ({"shop_id": ""}, "shop_id"),
        ({"shop_id": None}, "shop_id"),
        ({"entity_id": 3}, "entity_id"),
        ({"as_of_ms": "soon"}, "as_of_ms"),
        ({"as_of_ms": True}, "as_of_ms"),
        ({"as_of_ms": 10**18}, "as_of_ms"),
        ({"valid_until_ms": 1.5}, "valid_until_ms"),
        ({"values": []}, "values"),
        ({"values": {}}, "values.last_items"),
        ({"values": {"last_items": ["a", 1]}}, "values.last_items"),
        ({"values": {"last_items": None}}, "values.last_items"),
    ],
)
def test_a_bad_message_names_its_field(change: dict[str, Any], message_field: str) -> None:
    with pytest.raises(BadMessage, match=f"^{message_field}: "):
        parse(orjson.dumps(GOOD | change), 0, VIEWS)


def test_counts_must_fit_the_store() -> None:
    message = GOOD | {"view": "item_3600s_60s", "values": {"item_views_1h": 2, "item_carts_1h": 2**63}}
    with pytest.raises(BadMessage, match=r"values\.item_carts_1h"):
        parse(orjson.dumps(message), 0, VIEWS)


@given(st.one_of(st.none(), st.binary(max_size=40), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr)))
def test_any_payload_gives_a_row_or_a_refusal(payload: bytes | str | None) -> None:
    raw = payload.encode() if isinstance(payload, str) else payload
    with pytest.raises(BadMessage):
        parse(raw, 0, VIEWS)
