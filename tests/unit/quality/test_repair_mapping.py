"""Mappings: what each step does to an event, what it leaves alone, and which mappings are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from quality.repair import Mapping, MappingError, load_mapping

# (steps, event before, event after)
CASES = [
    ([{"rename": {"from": "a", "to": "b"}}], {"a": 1}, {"b": 1}),
    ([{"rename": {"from": "a", "to": "p.b"}}], {"a": 1}, {"p": {"b": 1}}),  # into another object, made on the way
    ([{"rename": {"from": "a", "to": "b"}}], {"a": 1, "b": 2}, {"a": 1, "b": 2}),  # nothing is overwritten
    ([{"rename": {"from": "l.*.sku", "to": "l.*.item_id"}}], {"l": [{"sku": "x"}, 7, {}]}, {"l": [{"item_id": "x"}, 7, {}]}),
    ([{"default": {"field": "p.c", "value": 5}}], {}, {"p": {"c": 5}}),
    ([{"default": {"field": "c", "value": 5}}], {"c": None}, {"c": 5}),
    ([{"default": {"field": "c", "value": 5}}], {"c": 0}, {"c": 0}),
    ([{"default": {"field": "event_id", "value": "$identity"}}], {}, {"event_id": "c#7"}),
    ([{"convert": {"field": "n", "to": "integer"}}], {"n": " 12 "}, {"n": 12}),
    ([{"convert": {"field": "n", "to": "integer"}}], {"n": 12.0}, {"n": 12}),
    ([{"convert": {"field": "n", "to": "integer"}}], {"n": "12.5"}, {"n": "12.5"}),  # no rounding in silence
    ([{"convert": {"field": "n", "to": "integer"}}], {"n": "many"}, {"n": "many"}),
    ([{"convert": {"field": "n", "to": "integer"}}], {"n": "Infinity"}, {"n": "Infinity"}),
    ([{"convert": {"field": "m", "to": "minor_units"}}], {"m": "19.99"}, {"m": 1999}),
    ([{"convert": {"field": "m", "to": "minor_units"}}], {"m": 0.29}, {"m": 29}),  # 0.29 * 100 is 28.999… in binary
    ([{"convert": {"field": "m", "to": "minor_units", "digits": 0}}], {"m": 500}, {"m": 500}),
    ([{"convert": {"field": "m", "to": "minor_units"}}], {"m": "1.999"}, {"m": "1.999"}),
    ([{"convert": {"field": "s", "to": "string"}}], {"s": 7}, {"s": "7"}),
    ([{"convert": {"field": "t", "to": "instant_from_s"}}], {"t": 1788220800}, {"t": "2026-09-01T00:00:00+00:00"}),
    ([{"convert": {"field": "t", "to": "instant_from_ms"}}], {"t": "1788220800123"}, {"t": "2026-09-01T00:00:00.123000+00:00"}),
    (
        [{"convert": {"field": "t", "to": "instant", "zone": "Asia/Shanghai"}}],
        {"t": "2026-09-01 08:00:00"},
        {"t": "2026-09-01T08:00:00+08:00"},
    ),
    ([{"convert": {"field": "t", "to": "instant_from_s"}}], {"t": 1e300}, {"t": 1e300}),
    ([{"shift": {"field": "t", "seconds": -3600}}], {"t": "2026-09-01T08:00:00Z"}, {"t": "2026-09-01T07:00:00+00:00"}),
    ([{"shift": {"field": "t", "seconds": 1}}], {"t": "soon"}, {"t": "soon"}),
    ([{"remove": {"field": "p.x"}}], {"p": {"x": 1, "y": 2}}, {"p": {"y": 2}}),
    ([{"remove": {"field": "q.x"}}], {"p": 1}, {"p": 1}),
    ([], [1, 2], [1, 2]),  # not an object: left alone
]


@pytest.mark.parametrize(("steps", "before", "after"), CASES)
def test_steps(steps: list[Any], before: Any, after: Any) -> None:
    untouched = json.dumps(before)
    assert Mapping(name="m", steps=steps).apply(before, "c#7") == after
    assert json.dumps(before) == untouched


def test_a_mapping_is_for_what_it_names() -> None:
    event = {"type": "item_viewed", "outcome": "invalid", "reason": "missing_field", "field": "properties.item_id"}
    assert Mapping(name="m").is_for(**event)
    assert Mapping(name="m", match={"reason": "missing_field", "type": "item_viewed"}).is_for(**event)
    assert not Mapping(name="m", match={"field": "user_id"}).is_for(**event)


WRONG = [
    ({"steps": []}, "name"),
    ({"name": "Not A Name"}, "name"),
    ({"name": "m", "steps": [{}]}, "one of rename"),
    ({"name": "m", "steps": [{"remove": {"field": "a"}, "shift": {"field": "a", "seconds": 1}}]}, "one of rename"),
    ({"name": "m", "steps": [{"rename": {"from": "l.*.a", "to": "b"}}]}, "same entry"),
    ({"name": "m", "steps": [{"convert": {"field": "a", "to": "float"}}]}, "to"),
    ({"name": "m", "steps": [{"convert": {"field": "a", "to": "instant", "zone": "Mars/Base"}}]}, "IANA"),
    ({"name": "m", "match": {"shop": "a"}}, "match.shop"),
    ([1], "the file"),
]


@pytest.mark.parametrize(("content", "expected"), WRONG)
@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_wrong_mapping_is_refused_with_its_field(tmp_path: Path, content: Any, expected: str, suffix: str) -> None:
    file = tmp_path / f"mapping{suffix}"
    file.write_text(yaml.safe_dump(content) if suffix == ".yaml" else json.dumps(content))
    with pytest.raises(MappingError, match="mapping") as refused:
        load_mapping(file)
    assert expected in str(refused.value)


def test_an_unreadable_mapping_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"gone\.yaml cannot be read"):
        load_mapping(tmp_path / "gone.yaml")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(MappingError, match=r"broken\.json is not JSON"):
        load_mapping(tmp_path / "broken.json")


@pytest.mark.parametrize("value", ["1e999999", "-1e999999", "1e-999999", 1e300, "NaN", "Infinity", "9" * 5000])
@pytest.mark.parametrize("to", ["minor_units", "integer", "instant_from_s", "instant_from_ms"])
def test_a_number_without_measure_is_left_to_the_contract(value: Any, to: str) -> None:
    mapping = Mapping(name="m", steps=[{"convert": {"field": "a", "to": to}}])
    assert mapping.apply({"a": value}, "c#0") == {"a": value}
