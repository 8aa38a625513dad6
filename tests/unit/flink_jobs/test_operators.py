"""Names of operators follow their view and what it computes, not their number."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flink_jobs.operators import SHARED, Operators, assign_uids, operators_of

VERSIONS = {SHARED: "e1", "clicks": "c1", "looks": "v1"}


def node(number: int, kind: str, description: str = "") -> dict[str, Any]:
    return {"id": number, "type": f"stream-exec-{kind}_1", "description": description or kind}


def chain(*numbers: int) -> list[dict[str, Any]]:
    return [{"source": source, "target": target} for source, target in pairwise(numbers)]


@pytest.fixture
def plan() -> dict[str, Any]:
    """log → counter → (bronze, looks, clicks → union → features)."""
    nodes = [
        node(1, "table-source-scan"),
        node(2, "over-aggregate"),
        node(3, "sink", "Sink(table=[default_catalog.default_database.bronze], fields=[a])"),
        node(4, "over-aggregate"),
        node(5, "calc", 'Calc(select=[CONCAT(\'{"view":"looks",\', shop_id)])'),
        node(6, "local-window-aggregate"),
        node(7, "global-window-aggregate"),
        node(8, "calc", 'Calc(select=[CONCAT(\'{"view":"clicks",\', shop_id)])'),
        node(9, "union"),
        node(10, "sink", "Sink(table=[default_catalog.default_database.features], fields=[a])"),
    ]
    return {"nodes": nodes, "edges": [*chain(1, 2, 3), *chain(2, 4, 5, 9, 10), *chain(2, 6, 7, 8, 9)]}


def uids(plan: dict[str, Any], versions: dict[str, str] = VERSIONS) -> set[str]:
    named = copy.deepcopy(plan)
    assign_uids(named, versions)
    formats = [node["configuration"]["table.exec.uid.format"] for node in named["nodes"]]
    assert len(formats) == len(set(formats))
    assert all(text.endswith(".<transformation>") for text in formats)
    return set(operators_of(named).uids)


def test_operators_are_called_after_the_one_that_they_serve(plan: dict[str, Any]) -> None:
    assert uids(plan) == {
        "events@e1.table-source-scan.1",
        "events@e1.over-aggregate.1",
        "bronze-1@e1.sink.1",
        "features-1@e1.sink.1",
        "looks@v1.over-aggregate.1",
        "clicks@c1.global-window-aggregate.1",
    }


def test_another_view_before_them_renames_none(plan: dict[str, Any]) -> None:
    known = uids(plan)
    for one in plan["nodes"]:
        one["id"] += 2 if one["id"] > 3 else 0
    for edge in plan["edges"]:
        edge |= {end: number + 2 if number > 3 else number for end, number in edge.items()}
    plan["nodes"] += [node(4, "over-aggregate"), node(5, "calc", 'Calc(select=[CONCAT(\'{"view":"added",\', shop_id)])')]
    plan["edges"] += chain(2, 4, 5, 11)
    assert uids(plan, VERSIONS | {"added": "a1"}) == known | {"added@a1.over-aggregate.1"}


def test_tables_of_counters_name_what_is_theirs_and_what_they_share(plan: dict[str, Any]) -> None:
    known = uids(plan)
    plan["nodes"] += [
        node(11, "deduplicate"),
        node(12, "union"),
        node(13, "group-aggregate"),
        node(14, "sink", "Sink(table=[default_catalog.default_database.minutes], fields=[a])"),
        node(15, "sink", "Sink(table=[default_catalog.default_database.items], fields=[a])"),
    ]
    plan["edges"] += [*chain(2, 11, 12, 13, 14), *chain(2, 12), *chain(11, 15)]
    counters = uids(plan, VERSIONS | {"minutes": "m1", "items": "i1"}) - known
    [shared] = [name for name in counters if name.startswith("counters@")]
    assert shared.endswith(".deduplicate.1")
    assert counters - {shared} == {"minutes@m1.group-aggregate.1", "minutes@m1.sink.1", "items@i1.sink.1"}
    assert known < uids(plan, VERSIONS | {"minutes": "m1", "items": "i1"})


def test_a_changed_view_keeps_no_state_and_the_others_theirs(plan: dict[str, Any]) -> None:
    before, after = (Operators(tuple(sorted(uids(plan, versions)))) for versions in (VERSIONS, VERSIONS | {"looks": "v2"}))
    assert before.lost_to(after) == ["looks@v1.over-aggregate.1"]
    assert len(before.kept_by(after)) == 5


def test_a_single_view_needs_no_union(plan: dict[str, Any]) -> None:
    plan["nodes"] = [one for one in plan["nodes"] if one["id"] not in (6, 7, 8, 9)]
    plan["edges"] = [*chain(1, 2, 3), *chain(2, 4, 5, 10)]
    assert "looks@v1.over-aggregate.1" in uids(plan)


def with_shared_state(plan: dict[str, Any], condition: str = "a") -> dict[str, Any]:
    """The plan with one more operator, from which both views follow."""
    changed = copy.deepcopy(plan)
    for one in changed["nodes"]:
        one["id"] += 2 if one["id"] > 3 else 0
    for edge in changed["edges"]:
        edge |= {end: number + 2 if number > 3 else number for end, number in edge.items()}
        edge["source"] = 5 if edge["source"] == 2 and edge["target"] != 3 else edge["source"]
    changed["nodes"] += [node(4, "calc", f"Calc(select=[{condition}])"), node(5, "over-aggregate", "OverAggregate(count)")]
    changed["edges"] += chain(2, 4, 5)
    return changed


def test_state_that_views_share_is_called_after_what_it_computes(plan: dict[str, Any]) -> None:
    names = {uid for uid in uids(with_shared_state(plan)) if uid.startswith("views@")}
    assert len(names) == 1
    assert names < uids(with_shared_state(plan), VERSIONS | {"looks": "v2"})
    assert not names & uids(with_shared_state(plan, condition="b")), "what comes before decides what it computes"


def test_a_branch_that_names_no_view_is_refused(plan: dict[str, Any]) -> None:
    plan["nodes"][4]["description"] = "Calc(select=[shop_id])"
    with pytest.raises(RuntimeError, match="names no view"):
        uids(plan)


def test_they_are_noted_for_the_next_upgrade(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing to upgrade"):
        Operators.noted(tmp_path)
    Operators(("a", "b")).note(tmp_path)
    assert Operators.noted(tmp_path) == Operators(("a", "b"))
