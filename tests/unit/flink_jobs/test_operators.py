"""Names of operators follow their view and what it computes, not their number."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flink_jobs.operators import SHARED, Operators, assign_uids, operators_of

VERSIONS = {SHARED: "e1", "clicks": "c1", "views": "v1"}


def node(number: int, kind: str, description: str = "") -> dict[str, Any]:
    return {"id": number, "type": f"stream-exec-{kind}_1", "description": description or kind}


def chain(*numbers: int) -> list[dict[str, Any]]:
    return [{"source": source, "target": target} for source, target in pairwise(numbers)]


@pytest.fixture
def plan() -> dict[str, Any]:
    """log → counter → (archive, views, clicks → union → features)."""
    nodes = [
        node(1, "table-source-scan"),
        node(2, "over-aggregate"),
        node(3, "sink", "Sink(table=[default_catalog.default_database.archive], fields=[a])"),
        node(4, "over-aggregate"),
        node(5, "calc", "Calc(select=[JSON_OBJECT(NULL_ON_NULL, 'view', 'views')])"),
        node(6, "local-window-aggregate"),
        node(7, "global-window-aggregate"),
        node(8, "calc", "Calc(select=[JSON_OBJECT(NULL_ON_NULL, 'view', 'clicks')])"),
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
        "archive-1@e1.sink.1",
        "features-1@e1.sink.1",
        "views@v1.over-aggregate.1",
        "clicks@c1.global-window-aggregate.1",
    }


def test_another_view_before_them_renames_none(plan: dict[str, Any]) -> None:
    known = uids(plan)
    for one in plan["nodes"]:
        one["id"] += 2 if one["id"] > 3 else 0
    for edge in plan["edges"]:
        edge |= {end: number + 2 if number > 3 else number for end, number in edge.items()}
    plan["nodes"] += [node(4, "over-aggregate"), node(5, "calc", "Calc(select=[JSON_OBJECT(NULL_ON_NULL, 'view', 'added')])")]
    plan["edges"] += chain(2, 4, 5, 11)
    assert uids(plan, VERSIONS | {"added": "a1"}) == known | {"added@a1.over-aggregate.1"}


def test_a_changed_view_keeps_no_state_and_the_others_theirs(plan: dict[str, Any]) -> None:
    before, after = (Operators(tuple(sorted(uids(plan, versions)))) for versions in (VERSIONS, VERSIONS | {"views": "v2"}))
    assert before.lost_to(after) == ["views@v1.over-aggregate.1"]
    assert len(before.kept_by(after)) == 5


def test_a_single_view_needs_no_union(plan: dict[str, Any]) -> None:
    plan["nodes"] = [one for one in plan["nodes"] if one["id"] not in (6, 7, 8, 9)]
    plan["edges"] = [*chain(1, 2, 3), *chain(2, 4, 5, 10)]
    assert "views@v1.over-aggregate.1" in uids(plan)


def test_they_are_noted_for_the_next_upgrade(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing to upgrade"):
        Operators.noted(tmp_path)
    Operators(("a", "b")).note(tmp_path)
    assert Operators.noted(tmp_path) == Operators(("a", "b"))
