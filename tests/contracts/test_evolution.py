"""No change of the contract breaks a stored event: golden logs and schemas of every release, and proof that the rules bite."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, create_model

from jishi.contract import EVENT_TYPES, event_json_schema
from jishi.contract.evolution import breaking_changes, replay
from jishi.contract.fields import EventPart
from jishi.contract.properties import ItemChanged, ItemViewed

RELEASES = sorted((Path(__file__).parent.parent / "golden").glob("contract_v*"))
ALL_LINES = [line for release in RELEASES for file in release.glob("*.jsonl") for line in file.read_text().splitlines()]
CURRENT = {name: event_json_schema(name) for name in EVENT_TYPES}


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_a_released_version_still_holds(release: Path) -> None:
    logs = sorted(release.glob("*.jsonl"))
    assert logs
    assert replay(line for log in logs for line in log.read_text().splitlines()) == []
    assert breaking_changes(json.loads((release / "schemas.json").read_text()), CURRENT) == []


def test_the_golden_log_shows_every_field_and_every_minimum() -> None:
    events = {event["event_id"]: event for event in map(json.loads, ALL_LINES)}
    for name, schema in CURRENT.items():
        properties = next(d for n, d in schema["$defs"].items() if f"#/$defs/{n}" == schema["properties"]["properties"]["$ref"])
        shown = [event["properties"] for event in events.values() if event["type"] == name]
        first = json.loads((RELEASES[0] / "schemas.json").read_text()).get(name, schema)
        released = first["$defs"][properties["title"]]
        assert any(set(one) == set(released["properties"]) for one in shown), f"no example of {name} has every field"
        assert any(set(one) == set(released.get("required", [])) for one in shown), f"no example of {name} is minimal"


def contract_with(event_type: str, properties: type[EventPart] | None) -> dict[str, Any]:
    """The contract with other properties of one type, or without the type."""
    types = dict(EVENT_TYPES)
    if properties is None:
        del types[event_type]
    else:
        types[event_type] = create_model("Changed", __base__=types[event_type], properties=(properties, ...))
    return types


def viewed(**fields: Any) -> type[EventPart]:
    """``ItemViewed`` with other fields; ... takes one away."""
    kept = {name: (info.annotation, info) for name, info in ItemViewed.model_fields.items()}
    changed = {name: field for name, field in (kept | fields).items() if field is not ...}
    return create_model("ItemViewed", __base__=EventPart, **changed)


# (what was done, the type, its new properties, what must be told)
BREAKING = [
    ("a type is removed", "bargain_helped", None, "bargain_helped"),
    ("a field is renamed", "item_viewed", viewed(category=..., item_category=(str | None, None)), "category"),
    ("a field is removed", "item_viewed", viewed(share_id=...), "share_id"),
    ("a new field is needed", "item_viewed", viewed(page=(str, ...)), "page"),
    ("an optional field is needed", "item_viewed", viewed(category=(str, ...)), "category"),
    ("a type is narrowed", "item_viewed", viewed(category=(int | None, None)), "category"),
]


@pytest.mark.parametrize(("what", "event_type", "properties", "expected"), BREAKING, ids=[case[0] for case in BREAKING])
def test_a_breaking_change_fails_the_replay_and_the_comparison(
    what: str, event_type: str, properties: Any, expected: str
) -> None:
    types = contract_with(event_type, properties)
    problems = replay(ALL_LINES, types)
    assert problems, what
    assert all(event_type in problem for problem in problems)
    assert any(expected in problem for problem in problems)
    schemas = {name: model.model_json_schema() for name, model in types.items()}
    differences = breaking_changes(CURRENT, schemas)
    assert any(expected in difference for difference in differences), differences


# What no stored example shows is found in the schemas.
NARROWED = [
    ("a text is shorter", "item_viewed", viewed(category=(Annotated[str, Field(max_length=20)] | None, None)), "maxLength"),
    ("a text has a pattern", "item_viewed", viewed(category=(Annotated[str, Field(pattern="^x")] | None, None)), "pattern"),
    ("a value has a floor", "item_viewed", viewed(unit_price_minor=(Annotated[int, Field(ge=1)] | None, None)), "minimum"),
    ("null is refused", "item_viewed", viewed(category=(str, "")), "null"),
    (
        "a value of a list is gone",
        "item_changed",
        create_model("ItemChanged", __base__=ItemChanged, status=(Literal["active", "inactive"], "active")),
        "blocked",
    ),
    (
        "attributes take numbers only",
        "item_changed",
        create_model("ItemChanged", __base__=ItemChanged, attributes=(dict[str, int], {})),
        "attributes",
    ),
]


@pytest.mark.parametrize(("what", "event_type", "properties", "expected"), NARROWED, ids=[case[0] for case in NARROWED])
def test_a_narrowed_rule_fails_the_comparison(what: str, event_type: str, properties: Any, expected: str) -> None:
    schemas = {name: model.model_json_schema() for name, model in contract_with(event_type, properties).items()}
    assert any(expected in difference for difference in breaking_changes(CURRENT, schemas)), what


def test_what_only_adds_is_no_break() -> None:
    types = contract_with("item_viewed", viewed(page=(str | None, None), category=(str | int | None, None)))
    schemas = {name: model.model_json_schema() for name, model in types.items()} | {"item_praised": {"type": "object"}}
    assert breaking_changes(CURRENT, schemas) == []
    assert replay(ALL_LINES, types) == []


def test_the_envelope_is_compared_too() -> None:
    changed = copy.deepcopy(CURRENT)
    changed["item_viewed"]["required"].append("session_id")
    changed["order_paid"]["$defs"]["OrderLine"]["properties"].pop("coupon_id")
    assert breaking_changes(CURRENT, changed) == [
        "item_viewed.session_id: was not needed and is now",
        "order_paid.properties.lines[].coupon_id: the field is gone",
    ]
