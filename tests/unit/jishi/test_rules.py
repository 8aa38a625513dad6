"""Rules of recommendations as data: what is refused with which words, and the versions that are kept of them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from jishi.rules.complaints import BadRules, rules_of, rules_of_text
from jishi.rules.rule_set import KINDS, RuleSet
from jishi.rules.versions import NoSuchVersion, RulesChanged, RulesUnreadable, RuleVersions

NOW = datetime(2026, 11, 30, tzinfo=UTC)
HIDE = {"kind": "hide", "name": "h", "items": {"brands": ["b"]}}
PIN = {"kind": "pin", "name": "p", "item_id": "i", "slot": 1}


def rules(*each: dict[str, Any]) -> RuleSet:
    return rules_of({"rules": list(each)})


@pytest.mark.parametrize(
    ("each", "complaint"),
    [
        (
            [{"kind": "boost", "name": "x", "items": {"categories": ["a"]}, "factor": 1}],
            'rules.0.factor of "x": .*greater than 1',
        ),
        ([{"kind": "bost", "name": "x"}], f'rules.0 of "x": kind: choose {", ".join(KINDS)}'),
        ([PIN | {"slot": "1"}], 'rules.0.slot of "p": .*valid integer'),
        ([PIN | {"slots": 1}], 'rules.0.slots of "p": is no field here; leave it out, or choose .*slot'),
        ([{"kind": "pin", "name": "p", "slot": 1}], 'rules.0.item_id of "p": is missing'),
        ([HIDE | {"items": {}}], 'rules.0.items of "h": names no item; give item_ids'),
        ([HIDE | {"items": {"brand": "b"}}], 'rules.0.items.brand of "h": is no field here; leave it out'),
        ([HIDE | {"items": {"price_min_minor": 2, "price_max_minor": 1}}], "price_min_minor .2. is above .*; swap them"),
        ([HIDE | {"from_date": "2026-02-02", "until_date": "2026-02-01"}], "from_date .* is after until_date"),
        ([HIDE | {"placements": ["hom"]}], "rules.0.placements.0 of \"h\": .*'home', 'item'"),
        ([{"kind": "price_band", "name": "x"}], "has no bound; give min_minor"),
        ([HIDE, HIDE], "two rules have the name 'h'; give each its own"),
        ([PIN, PIN | {"name": "q", "item_id": "j"}], "'p' and 'q' pin to slot 1 of one list; choose another slot"),
        ([PIN, PIN | {"name": "q", "slot": 2}], "'p' and 'q' pin 'i' twice in one list; drop one"),
    ],
)
def test_what_cannot_be_is_refused_with_field_and_fix(each: list[Any], complaint: str) -> None:
    with pytest.raises(BadRules, match=complaint):
        rules(*each)


def test_a_text_that_is_no_json_and_one_that_is_no_object_are_refused() -> None:
    for text in ("{", "[]", "[" * 100_000, '{"rules": [3]}', '{"rules": [{"kind": "pin", "name": 1}]}'):
        with pytest.raises(BadRules):
            rules_of_text(text)


def test_pins_that_never_meet_may_share_a_slot() -> None:
    later = {"name": "q", "from_date": "2026-12-02"}
    assert rules(PIN | {"until_date": "2026-12-01"}, PIN | later)
    assert rules(PIN | {"placements": ["home"]}, PIN | {"name": "q", "placements": ["cart"]})
    with pytest.raises(BadRules):
        rules(PIN | {"until_date": "2026-12-02"}, PIN | later)


def test_a_rule_holds_from_its_first_day_to_its_last() -> None:
    [rule] = rules(PIN | {"from_date": "2026-12-01", "until_date": "2026-12-02", "page_categories": ["tea"]}).rules
    days = [rule.holds("item", "tea", date(2026, 12, day)) for day in (1, 2, 3)]
    assert (days, rule.holds("item", None, date(2026, 12, 1))) == ([True, True, False], False)


def test_versions_are_kept_and_going_back_writes_another(tmp_path: Path) -> None:
    versions = RuleVersions(tmp_path, "a")
    assert (versions.in_use(), versions.numbers()) == ((None, None), [])
    first = versions.publish(rules(HIDE), "mei@example.org", NOW, note="双十二", after=0)
    versions.publish(rules(PIN | {"from_date": "2026-12-01"}, HIDE), "mei@example.org", NOW, after=1)
    with pytest.raises(RulesChanged, match="version 2 was published after version 1"):
        versions.publish(rules(), "tom@example.org", NOW, after=1)
    read, problem = versions.in_use()
    assert read is not None
    assert (read.facts.version, read.rules, problem) == (2, rules(PIN | {"from_date": "2026-12-01"}, HIDE), None)
    back = versions.roll_back(1, "tom@example.org", NOW)
    assert (back.facts.version, back.facts.restores, back.rules) == (3, 1, first.rules)
    assert versions.read(1).facts.note == "双十二"
    assert RuleVersions(tmp_path, "b").numbers() == []
    with pytest.raises(NoSuchVersion, match="newest: 3, 2, 1"):
        versions.read(9)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"facts": {}}', "another shop", "another number", "a rule of tomorrow"])
def test_a_version_that_cannot_be_read_leaves_the_one_before(tmp_path: Path, damage: str) -> None:
    versions = RuleVersions(tmp_path, "a")
    versions.publish(rules(HIDE), "mei", NOW)
    versions.publish(rules(PIN), "mei", NOW)
    file = tmp_path / "a" / "000002.json"
    value = json.loads(file.read_text())
    match damage:
        case "another shop":
            value["facts"]["shop_id"] = "b"
        case "another number":
            value["facts"]["version"] = 1
        case "a rule of tomorrow":
            value["rules"][0]["kind"] = "teleport"
    file.write_text(json.dumps(value) if damage.startswith("a") else damage)
    with pytest.raises(RulesUnreadable):
        versions.read(2)
    read, problem = versions.in_use()
    assert read is not None
    assert read.rules == rules(HIDE)
    assert problem is not None
    assert "000002.json" in problem
    assert versions.publish(rules(), "mei", NOW).facts.version == 3, "no number is given twice"


def test_what_json_cannot_say_is_refused_in_words() -> None:
    nested: list[Any] = []
    for _ in range(3_000):
        nested = [nested]
    for value in (nested, [10**5000], [{"kind": "hide", "name": "\ud800", "items": {"brands": ["b"]}}]):
        with pytest.raises(BadRules):
            rules_of({"rules": value})
