"""Mappings: what each step does to an event, what it leaves alone, and which mappings are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

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
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": "19.99"}, {"m_minor": 1999}),
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": 0.29}, {"m_minor": 29}),  # 28.999… in binary
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": 1999}, {"m_minor": 1999}),  # minor units already
    ([{"convert": {"field": "m_minor", "to": "minor_units", "digits": 0}}], {"m_minor": "500"}, {"m_minor": 500}),
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": "1.999"}, {"m_minor": "1.999"}),
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": "12.500"}, {"m_minor": "12.500"}),  # or thousands
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": "12.50 USD"}, {"m_minor": "12.50 USD"}),
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": "12,50"}, {"m_minor": 1250}),
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": "¥ 1.234,50"}, {"m_minor": 123450}),
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": "1,234.50"}, {"m_minor": 123450}),
    ([{"convert": {"field": "m_minor", "to": "minor_units"}}], {"m_minor": "1,234"}, {"m_minor": 123400}),
    ([{"convert": {"field": "m_minor", "to": "minor_units", "digits": 3}}], {"m_minor": "1,234"}, {"m_minor": "1,234"}),
    ([{"convert": {"field": "m_minor", "to": "minor_units", "decimal": ","}}], {"m_minor": "1.234"}, {"m_minor": 123400}),
    (  # one amount with a decimal comma says what the dot of its neighbour is
        [{"convert": {"field": "l.*.m_minor", "to": "minor_units"}}],
        {"l": [{"m_minor": "1.234"}, {"m_minor": "12,5"}]},
        {"l": [{"m_minor": 123400}, {"m_minor": 1250}]},
    ),
    (  # one line of an order is text, the other is right as it came
        [{"convert": {"field": "l.*.m_minor", "to": "minor_units"}}],
        {"l": [{"m_minor": "19.99"}, {"m_minor": 1999}]},
        {"l": [{"m_minor": 1999}, {"m_minor": 1999}]},
    ),
    (  # JSON writes twenty as 20: who sends 19.99 beside it means 20.00
        [{"convert": {"field": "l.*.m_minor", "to": "minor_units"}}, {"convert": {"field": "d_minor", "to": "minor_units"}}],
        {"l": [{"m_minor": 19.99}, {"m_minor": 20}], "d_minor": 3},
        {"l": [{"m_minor": 1999}, {"m_minor": 2000}], "d_minor": 300},
    ),
    (  # and where one of them has no exact amount none is touched
        [{"convert": {"field": "l.*.m_minor", "to": "minor_units"}}],
        {"l": [{"m_minor": 19.999}, {"m_minor": 20}]},
        {"l": [{"m_minor": 19.999}, {"m_minor": 20}]},
    ),
    (
        [{"rename": {"from": "price", "to": "m_minor"}}, {"convert": {"field": "m_minor", "to": "minor_units"}}],
        {"price": 20},
        {"m_minor": 2000},
    ),
    (
        [{"convert": {"field": "p.m_minor", "to": "minor_units"}}],
        {"properties": {"currency": "JPY"}, "p": {"m_minor": "1,500円"}},
        {"properties": {"currency": "JPY"}, "p": {"m_minor": 1500}},
    ),
    ([{"convert": {"field": "n", "to": "integer"}}], {"n": "2,0"}, {"n": 2}),
    ([{"convert": {"field": "s", "to": "string"}}], {"s": 7}, {"s": "7"}),
    ([{"convert": {"field": "t", "to": "instant_from_s"}}], {"t": 1788220800}, {"t": "2026-09-01T00:00:00+00:00"}),
    ([{"convert": {"field": "t", "to": "instant_from_ms"}}], {"t": "1788220800123"}, {"t": "2026-09-01T00:00:00.123000+00:00"}),
    (
        [{"convert": {"field": "t", "to": "instant", "zone": "Asia/Shanghai"}}],
        {"t": "2026-09-01 08:00:00"},
        {"t": "2026-09-01T08:00:00+08:00"},
    ),
    ([{"convert": {"field": "t", "to": "instant_from_s"}}], {"t": 1e300}, {"t": 1e300}),
    (
        [{"shift": {"field": "t", "seconds": -3600}}],
        {"t": "2026-09-01T08:00:00Z"},
        {"t": "2026-09-01T07:00:00+00:00", "shifted": {"t": "2026-09-01T08:00:00Z"}},
    ),
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


AMOUNTS = st.one_of(
    st.integers(0, 10**6),
    st.decimals(0, 10**6, places=2).map(float),
    st.decimals(0, 10**6, places=3).map(str),
    st.decimals(0, 10**6, places=2).map(lambda amount: str(amount).replace(".", ",")),
    st.sampled_from(["1.234", "1,234", "1.234,5", "many", "", None, 12.0, 19.999]),
)


@settings(max_examples=300, deadline=None)
@given(
    prices=st.lists(AMOUNTS, max_size=4), discount=AMOUNTS, raw=AMOUNTS, at=st.sampled_from(["2026-09-01T08:00:00Z", 7, None])
)
def test_twice_is_once(prices: list[Any], discount: Any, raw: Any, at: Any) -> None:
    steps = [
        {"rename": {"from": "properties.price", "to": "properties.unit_price_minor"}},
        {"convert": {"field": "properties.lines.*.unit_price_minor", "to": "minor_units"}},
        {"convert": {"field": "properties.lines.*.unit_price_minor", "to": "minor_units"}},
        {"convert": {"field": "properties.discount_minor", "to": "minor_units"}},
        {"convert": {"field": "properties.unit_price_minor", "to": "minor_units"}},
        {"convert": {"field": "properties.quantity", "to": "integer"}},
        {"shift": {"field": "occurred_at", "seconds": -28800}},
        {"default": {"field": "properties.lines", "value": []}},
    ]
    lines = [{"unit_price_minor": price} for price in prices]
    event = {"occurred_at": at, "properties": {"lines": lines, "discount_minor": discount, "price": raw, "quantity": raw}}
    mapping = Mapping(name="m", steps=steps)
    once = mapping.apply(event, "c#7")
    assert mapping.apply(once, "c#7") == once


def test_an_amount_has_the_digits_of_its_own_currency_else_of_the_shops() -> None:
    mapping = Mapping(name="m", steps=[{"convert": {"field": "properties.m_minor", "to": "minor_units"}}])
    assert mapping.apply({"properties": {"m_minor": "1500"}}, "c#7", "JPY") == {"properties": {"m_minor": 1500}}
    dinars = {"properties": {"m_minor": "1.5", "currency": "KWD"}}
    assert mapping.apply(dinars, "c#7", "JPY")["properties"]["m_minor"] == 1500


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
    ({"name": "m", "steps": [{"convert": {"field": "a", "to": "minor_units"}}]}, "rename 'a' in a step before"),
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
    mapping = Mapping(name="m", steps=[{"convert": {"field": "a_minor", "to": to}}])
    assert mapping.apply({"a_minor": value}, "c#0") == {"a_minor": value}


@pytest.mark.parametrize(
    "steps",
    [
        [{"remove": {"field": "a"}}, {"rename": {"from": "b", "to": "a"}}],
        [{"default": {"field": "a", "value": 1}}, {"rename": {"from": "a", "to": "b"}}],
        [{"rename": {"from": "x", "to": "a.b"}}, {"remove": {"field": "a"}}],
        [{"rename": {"from": "a", "to": "a.b"}}],
        [{"convert": {"field": "a", "to": "string"}}, {"default": {"field": "a", "value": 1}}],
        [{"convert": {"field": "l.*.a", "to": "integer"}}, {"rename": {"from": "items", "to": "l"}}],
        [{"shift": {"field": "t", "seconds": 1}}, {"convert": {"field": "t", "to": "instant_from_s"}}],
        [{"convert": {"field": "a_minor", "to": "string"}}, {"convert": {"field": "a_minor", "to": "minor_units"}}],
    ],
)
def test_steps_that_would_do_something_else_the_second_time_are_refused(steps: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"away|two forms|before"):
        Mapping(name="m", steps=steps)


def test_a_rename_of_nothing_makes_no_object() -> None:
    mapping = Mapping(name="m", steps=[{"rename": {"from": "x", "to": "p.y"}}])
    assert mapping.apply({"a": 1}, "c#7") == {"a": 1}


def test_null_is_no_text() -> None:
    mapping = Mapping(name="m", steps=[{"convert": {"field": "a", "to": "string"}}])
    assert mapping.apply({"a": None}, "c#7") == {"a": None}


@pytest.mark.parametrize("content", ["name: 2026-13-45", "!!int", "[" * 3000, "{[a]: b}"])
def test_a_mapping_that_is_no_yaml_names_its_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.yaml").write_text(content)
    with pytest.raises(MappingError, match=r"m\.yaml"):
        load_mapping(tmp_path / "m.yaml")
    (tmp_path / "m.json").write_text("1" * 5000)
    with pytest.raises(MappingError, match=r"m\.json is not JSON"):
        load_mapping(tmp_path / "m.json")
