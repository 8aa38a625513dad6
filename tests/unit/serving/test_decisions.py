"""The sample of whole answers: who belongs to it, and what stands in it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from serving.decisions import LoggedAnswer, is_sampled
from serving.recent import LastAct
from serving.recommend import recommend
from serving.request import Request


def test_a_share_of_all_ids_belongs_to_the_sample_and_always_the_same() -> None:
    ids = [UUID(int=number * 7919).hex for number in range(20_000)]
    assert sum(is_sampled(each, 0.05) for each in ids) / 20_000 == pytest.approx(0.05, abs=0.006)
    few = {each for each in ids if is_sampled(each, 0.01)}
    assert few < {each for each in ids if is_sampled(each, 0.05)}
    assert not any(is_sampled(each, 0.0) for each in ids)
    assert all(is_sampled(each, 1.0) for each in ids)


def test_an_answer_is_logged_with_the_candidates_of_each_source_and_without_the_person(shop: Any, tiny: Any) -> None:
    shop.catalogue.put(tiny.item("i2", stock=0, at_ms=9))
    shop.shelf.refresh(shop.catalogue.get("i2"))
    request = Request("a", "item", 5, ("u:somebody",), "i0", order=("i9",))
    last = [LastAct("i11", 60.0)]
    answer = recommend(request, shop.shelf, shop.catalogue, lambda *_: last, with_candidates=True)
    entry = json.loads(LoggedAnswer(request, "r1", answer, 1_788_220_800_000).line())
    assert "somebody" not in json.dumps(entry)
    assert (entry["request_id"], entry["item_id"], entry["is_person_named"], entry["model"]) == ("r1", "i0", True, "ladder")
    assert [each["item_id"] for each in entry["items"]] == [one.item.item_id for one in answer.items]
    assert list(entry["candidates"]["context"]) == ["i1"]  # i2 is near, too, and sold out
    assert set(entry["candidates"]["recent"]) == {"i12", "i13"}
    assert not {"i0", "i2", "i9"} & {item_id for each in entry["candidates"].values() for item_id in each}
    for one in answer.items:  # what the sources give is the score
        total = sum(each.get(one.item.item_id, 0.0) for each in entry["candidates"].values())
        assert total == pytest.approx(one.score, abs=1e-5)
    assert recommend(request, shop.shelf, shop.catalogue, lambda *_: last).candidates is None
