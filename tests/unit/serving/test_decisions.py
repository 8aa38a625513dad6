"""The decision log: who belongs to the sample, and what stands in a line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import pytest

from decision_log import queries
from models.algorithms.exploration import Belief
from serving.decisions import Inputs, LoggedDecision, is_sampled
from serving.exploring import SLOT, Exploration, explore
from serving.recent import LastAct
from serving.recommend import recommend
from serving.request import Request
from serving.suppressions import suppressed

AT_MS = 1_788_220_800_000


def line(logged: LoggedDecision) -> dict[str, Any]:
    return dict(json.loads(logged.line()))


def test_a_share_of_all_ids_belongs_to_the_sample_and_always_the_same() -> None:
    ids = [UUID(int=number * 7919).hex for number in range(20_000)]
    assert sum(is_sampled(each, 0.05) for each in ids) / 20_000 == pytest.approx(0.05, abs=0.006)
    few = {each for each in ids if is_sampled(each, 0.01)}
    assert few < {each for each in ids if is_sampled(each, 0.05)}
    assert not any(is_sampled(each, 0.0) for each in ids)
    assert all(is_sampled(each, 1.0) for each in ids)


def test_an_answer_of_the_sample_has_the_candidates_of_each_source_and_no_person(shop: Any, tiny: Any) -> None:
    shop.catalogue.put(tiny.item("i2", stock=0, at_ms=9))
    shop.shelf.refresh(shop.catalogue.get("i2"))
    request = Request("a", "item", 5, ("u:somebody",), "i0", order=("i9",))
    last = [LastAct("i11", 60.0)]
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: last, with_candidates=True)
    inputs = Inputs(0, True, lambda person: f"p{len(person)}")
    entry = line(LoggedDecision.of(request, "r1", answer, None, shop.shelf, shop.catalogue, AT_MS, inputs))
    assert "somebody" not in json.dumps(entry)
    assert (entry["request_id"], entry["item_id"], entry["is_person_named"], entry["model"]) == ("r1", "i0", True, "ladder")
    assert entry["items"] == [one.item.item_id for one in answer.items]
    candidates = entry["inputs"]["candidates"]
    assert list(candidates["context"]) == ["i1"]  # i2 is near, too, and sold out
    assert set(candidates["recent"]) == {"i12", "i13"}
    assert not {"i0", "i2", "i9"} & {item_id for each in candidates.values() for item_id in each}
    for item_id, score in zip(entry["items"], entry["scores"], strict=True):  # what the sources give is the score
        assert sum(each.get(item_id, 0.0) for each in candidates.values()) == pytest.approx(score, abs=1e-5)
    plain = line(LoggedDecision.of(request, "r1", answer, None, shop.shelf, shop.catalogue, AT_MS))
    assert plain | {"inputs": 0} == entry | {"inputs": 0}
    assert plain["inputs"] is None


def test_what_would_have_been_listed_is_named_with_the_reason(shop: Any, tiny: Any) -> None:
    for item_id, state in {"i0": {"stock": 0}, "i1": {"status": "inactive"}, "i2": {"status": "blocked"}}.items():
        shop.catalogue.put(tiny.item(item_id, at_ms=9, **state))
        shop.shelf.refresh(shop.catalogue.get(item_id))
    request = Request("a", "cart", 5, item_id="i3", cart=("i4",), excluded=("i5",), bought=frozenset({"i6"}))
    request = replace(request, excludes_purchased=True)
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: ())
    assert [one.item.item_id for one in answer.items][:3] == ["i7", "i8", "i9"]
    assert suppressed(answer, request, shop.shelf, shop.catalogue) == {
        "i0": "sold_out",
        "i1": "not_active",
        "i2": "not_active",
        "i3": "page_item",
        "i4": "in_cart",
        "i5": "excluded",
        "i6": "bought",
    }


def test_the_arm_has_its_propensity_and_what_could_have_been_shown(shop: Any, tiny: Any) -> None:
    """The last six items are new and one of them is sold out."""
    shop.model.newcomers = tiny.newcomers(np.arange(24, 30), Belief(np.full(6, 2.0), np.full(6, 50.0)))
    shop.catalogue.put(tiny.item("i27", stock=0, at_ms=9))
    exploration, rng = Exploration(), np.random.default_rng(3)
    exploration.use(shop.model)
    request = Request("a", "home", 10)
    ranked = recommend(request, shop.shelf, shop.catalogue, lambda *_: ())
    arms = set()
    for _ in range(60):
        answer, decision = explore(ranked, request, shop.shelf, shop.catalogue, exploration, rng)
        entry = line(LoggedDecision.of(request, "r1", answer, decision, shop.shelf, shop.catalogue, AT_MS))
        whole = line(
            LoggedDecision.of(request, "r1", answer, decision, shop.shelf, shop.catalogue, AT_MS, Inputs(0, True, str))
        )
        eligible = whole["exploration"]["eligible"]
        assert set(eligible) == {f"i{number}" for number in (24, 25, 26, 28, 29)}
        assert sum(eligible.values()) == pytest.approx(1)
        explored = entry["items"][SLOT] in eligible
        assert (entry["arm"] == "explored") == explored
        assert (entry["exploration"]["eligible"] == eligible) == explored
        probability = entry["exploration"]["probability"]
        expected = probability * eligible[entry["items"][SLOT]] if explored else 1 - probability
        assert entry["propensity"] == pytest.approx(expected)
        arms.add(entry["arm"])
    assert arms == {"explored", "ranked"}


def test_the_lake_takes_what_serving_logs(shop: Any, tiny: Any) -> None:
    """Lines of both arms, of an empty list and of one with rules' names are good records, and the arm is that of one place."""
    shop.model.newcomers = tiny.newcomers(np.arange(24, 30), Belief(np.full(6, 2.0), np.full(6, 50.0)))
    exploration, rng = Exploration(), np.random.default_rng(3)
    exploration.use(shop.model)
    request = Request("a", "home", 10)
    ranked = recommend(request, shop.shelf, shop.catalogue, lambda *_: ())
    logged = [LoggedDecision.of(request, "empty", replace(ranked, items=[]), None, shop.shelf, shop.catalogue, AT_MS)]
    for number in range(60):
        answer, decision = explore(ranked, request, shop.shelf, shop.catalogue, exploration, rng)
        inputs = Inputs(0, True, str) if number % 2 else None
        logged.append(LoggedDecision.of(request, f"r{number}", answer, decision, shop.shelf, shop.catalogue, AT_MS, inputs))
    with duckdb.connect() as connection:
        connection.execute("create table shops as select 'a' as shop_id")
        connection.execute(
            "create table landed (shop_id varchar, request_id varchar, logged_at timestamp, landed_at timestamp, "
            "log_partition integer, log_offset bigint, line varchar)"
        )
        for offset, entry in enumerate(logged):
            _, request_id = entry.key.decode().split("|")
            connection.execute(
                "insert into landed values ('a', $1, make_timestamp($2 * 1000), now(), 0, $3, $4)",
                [request_id, AT_MS + 5, offset, entry.line().decode()],
            )
        connection.execute("create table days as select $1 as day", [logged[0].read_on])
        for statement in (queries.READ, queries.JUDGED, queries.REPEATED):
            connection.execute(statement)
        assert connection.execute("select problem, request_id from judged where problem is not null").fetchall() == []
        connection.execute("create table shown_to (shop_id varchar, request_id varchar, person_id varchar)")
        connection.execute(
            "create table outcomes (shop_id varchar, request_id varchar, item_id varchar, shown_at timestamp, "
            "clicked_at timestamp)"
        )
        places = connection.execute(queries.PLACES, {"day": logged[0].read_on}).fetch_df()
    assert len(places) == 1 + 60 * 10
    explored = {line(entry)["request_id"]: line(entry)["propensity"] for entry in logged if line(entry)["arm"] == "explored"}
    of_arm = places[places["arm"] == "explored"]
    assert dict(zip(of_arm["request_id"], of_arm["propensity"], strict=True)) == pytest.approx(explored)
    assert set(of_arm["place"]) == {SLOT + 1}
