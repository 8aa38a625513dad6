"""The JSON Schemas take what the contract takes, and refuse what it refuses, but for the rules that no schema can say."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from jishi.contract import EVENT_TYPES, Event, check_event, event_json_schema
from jishi.contract.fields import CURRENCIES
from jishi.money import MINOR_DIGITS

GOLDEN = Path(__file__).parent.parent / "golden" / "contract_v1"
EXAMPLES = {
    name: [event for event in events if event["type"] == name]
    for events in [[orjson.loads(line) for file in GOLDEN.glob("*.jsonl") for line in file.read_bytes().splitlines()]]
    for name in EVENT_TYPES
}
BEYOND_SCHEMAS = {"amount_too_large", "discount_above_order"}

ODD = st.one_of(
    st.sampled_from(
        (None, True, False, 0, 1, -1, 1.0, 1.5, 2.0, -0.0, 2**53 - 1, 2**53, float(2**53), 1e30, 2**63, [], {}, [None], [{}])
    ),
    st.sampled_from(
        ("", " ", "null", "NaN", "a\0b", "x" * 200, "x" * 201, "x" * 2001, " y ", "a b", "active", "gone", "absent")
    ),
    st.sampled_from(("EUR", "eur", "ZZZ", "XAU", "JPY", "EURO", ["a", " "], {"item_id": "i"}, [{"item_id": "i"}], {"a": 1})),
    st.sampled_from(("2026-09-01T08:00:00Z", "2026-09-01T08:00:00", "2026-09-01", "2026-09-01 08:00+0800", "20260901T080000Z")),
    st.sampled_from(("2026-09-01T08:00:00.1234567Z", "2026-09-01t08:00:00z", "2026-13-01T08:00:00Z", "2026-09-01T24:00:00Z")),
    st.text(max_size=8),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)


@cache
def validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(event_json_schema(event_type))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, but for the type of the event, which chooses the schema."""
    here = [path] if path and path != ("type",) else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return here + [place for key, entry in inner for place in places(entry, (*path, key))]


@settings(max_examples=1000, deadline=None)
@given(name=st.sampled_from(sorted(EVENT_TYPES)), data=st.data())
def test_a_schema_takes_exactly_what_the_contract_takes(name: str, data: st.DataObject) -> None:
    raw = copy.deepcopy(data.draw(st.sampled_from(EXAMPLES[name])))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(raw)))
        target = raw
        for key in path[:-1]:
            target = target[key]
        if isinstance(target, dict) and data.draw(st.booleans()):
            del target[path[-1]]
        else:
            target[path[-1]] = copy.deepcopy(data.draw(ODD))
        if not places(raw):
            break
    result = check_event(raw)
    is_taken = isinstance(result, Event) or result.reason in BEYOND_SCHEMAS
    problems = [error.message for error in validator(name).iter_errors(raw)]
    assert is_taken == (not problems), (result, problems)


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_released_examples_are_valid(name: str) -> None:
    for raw in EXAMPLES[name]:
        validator(name).validate(raw)


def test_currencies_are_those_of_iso_4217() -> None:
    assert not CURRENCIES & {"ZZZ", "XXX", "XTS", "XAU", "XAG", "XDR", "EURO", "eur"}
    assert {"CNY", "EUR", "JPY", "KWD", "HRK", "DEM"} <= CURRENCIES
    assert MINOR_DIGITS.keys() < CURRENCIES
