"""New items of a shop on a small lake: who counts as new, what is believed of them, who may like them, and their artefact."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from jishi.paths import Paths
from jishi.tables import SILVER_EVENTS, SILVER_INTERACTIONS, SILVER_ITEMS, TableSchema
from models.algorithms.exploration import prior_rates
from models.candidates.newcomers import BadNewcomers, Newcomers
from models.release.artefact import CorruptArtefact
from models.release.candidate_evaluation import evaluate_candidate
from models.release.gate import gate
from models.release.registry import publish
from models.release.serving_index import Release
from models.training.newcomers import MOST_NEW, PRIOR_STRENGTH, newest_of, read_facts
from models.training.train import train
from serving.judge import judge_served
from tests.lake import newest, record

START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
NEW = ["n-lamp", "n-tea"]
KINDS = ("tea", "lamp")


def publish_table(paths: Paths, schema: TableSchema, rows: list[dict[str, Any]]) -> None:
    record(paths.var, {schema: rows})


def event(kind: str, at: datetime, properties: dict[str, Any], number: int) -> dict[str, Any]:
    line = json.dumps({"properties": properties})
    row = {"shop_id": "a", "event_id": f"{kind}-{number}", "type": kind, "occurred_at": at, "received_at": at, "line": line}
    return row | {"item_id": properties.get("item_id"), "person_id": f"p{number}"}


def listed(item_id: str, at: datetime, number: int) -> dict[str, Any]:
    """An ``item_changed`` of an item of a kind."""
    stated = {"item_id": item_id, "title": "good", "category": "tea" if "tea" in item_id else "lamp"}
    return event("item_changed", at, stated | {"unit_price_minor": 100, "currency": "CNY"}, number)


def made_in(folder: Path) -> Paths:
    """Twenty teas and twenty lamps; forty persons who buy only one of the kinds; two items listed on the 20th of 24 days."""
    built = Paths(var=folder / "var", envs=folder)
    old = [f"{kind}-{n:02}" for kind in KINDS for n in range(20)]
    by_key = {item_id: "tea" if "tea" in item_id else "lamp" for item_id in [*old, *NEW]}
    items = [
        {"shop_id": "a", "item_id": item_id, "title": f"good {kind}", "category": kind, "attributes": json.dumps({"use": kind})}
        for item_id, kind in by_key.items()
    ]
    publish_table(built, SILVER_ITEMS, items)
    rng, acts = np.random.default_rng(4), []
    for person in range(40):
        for day in range(24):
            if rng.random() < 0.6:
                at = START + timedelta(days=day, minutes=person)
                item_id = f"{KINDS[person % 2]}-{rng.integers(20):02}"
                row = {"shop_id": "a", "person_id": f"p{person:02}", "item_id": item_id, "kind": "pay", "line_number": 1}
                acts.append(row | {"event_id": f"e{len(acts)}", "occurred_at": at, "received_at": at})
    publish_table(built, SILVER_INTERACTIONS, acts)
    events = [listed(item_id, START - timedelta(days=60), n) for n, item_id in enumerate(old)]
    events += [listed(item_id, START + timedelta(days=20), 100 + n) for n, item_id in enumerate(NEW)]
    shown = ["tea-00", "tea-01", "lamp-00", "n-tea"]
    events += [event("recommendation_shown", START + timedelta(days=21), {"item_ids": shown}, n) for n in range(50)]
    clicked = ["tea-00"] * 20 + ["lamp-00"] * 5 + ["n-tea"] * 10
    events += [event("recommendation_clicked", START + timedelta(days=21), {"item_id": i}, n) for n, i in enumerate(clicked)]
    publish_table(built, SILVER_EVENTS, events)
    return built


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return made_in(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def release(paths: Paths) -> Release:
    return published(paths)[0]


def published(paths: Paths) -> tuple[Release, Path]:
    candidate = train(paths, newest(paths.var), "a")
    evaluate_candidate(paths, newest(paths.var), "a")
    judge_served(paths, newest(paths.var), "a")
    assert gate(paths, newest(paths.var), "a")["is_released"]
    publish(paths, "a")
    return Release.load(paths.models, "a", candidate), paths.models / "a" / "releases" / candidate


def test_new_items_come_with_a_release_though_nobody_has_touched_them(release: Release) -> None:
    result = release.newcomers
    assert result is not None
    assert [release.item_ids[number] for number in result.items] == NEW
    assert release.popularity[result.items].tolist() == [0.0, 0.0]


def test_the_belief_is_the_categorys_rate_and_what_was_seen(paths: Paths, release: Release) -> None:
    result = release.newcomers
    assert result is not None
    facts = read_facts(newest(paths.var), "a", release.item_ids)
    assert facts is not None
    assert facts.shown[release.item_ids.index("tea-01")] == 50
    assert facts.clicked[release.item_ids.index("tea-00")] == 20
    examined = facts.examined
    old = [number for number, item_id in enumerate(release.item_ids) if item_id not in NEW]
    one_hot = np.array([[category == "lamp", category == "tea"] for category in facts.categories], dtype=float)
    features = sparse.csr_matrix(one_hot)
    lamp, tea = prior_rates(features[old], facts.clicked[old], examined[old], features[result.items])
    assert lamp < tea  # 5 of 50 against 20 of 100
    seen = examined[result.items[1]]
    assert result.belief.a == pytest.approx([PRIOR_STRENGTH * lamp, PRIOR_STRENGTH * tea + 10])
    assert result.belief.b == pytest.approx([PRIOR_STRENGTH * (1 - lamp), PRIOR_STRENGTH * (1 - tea) + seen - 10])


def test_the_nearest_new_item_is_of_the_persons_kind(release: Release) -> None:
    for person in range(40):
        near = release.newcomers_near(f"p{person:02}")
        assert near is not None
        assert release.item_ids[int(near[0])] == f"n-{KINDS[person % 2]}"
    assert release.newcomers_near("a stranger") is None


def test_of_a_catalogue_that_is_all_new_the_newest_are() -> None:
    listed_at = np.array(["2026-09-01", "NaT", "2026-09-03", "2026-09-02", "2026-09-03"], dtype="datetime64[us]")
    is_new = np.array([True, False, True, True, True])
    assert newest_of(is_new, listed_at, 2).tolist() == [False, False, True, False, True]
    assert newest_of(is_new, listed_at, 3).tolist() == [False, False, True, True, True]
    assert newest_of(is_new, listed_at).tolist() == is_new.tolist()
    assert newest_of(np.ones(100_000, dtype=np.bool_), np.full(100_000, listed_at[0])).sum() == MOST_NEW


def test_without_new_items_there_are_none(tmp_path: Path) -> None:
    paths = made_in(tmp_path)
    publish_table(paths, SILVER_EVENTS, [listed(NEW[0], START - timedelta(days=60), 0)])
    release, folder = published(paths)
    assert release.newcomers is None
    assert NEW[0] not in release.item_ids
    assert not list(folder.glob("newcomers*"))


def _item(state: dict[str, Any]) -> None:
    state["items"] = state["items"] + 40


def _twice(state: dict[str, Any]) -> None:
    state["items"] = state["items"][[0, 0]]


def _less(state: dict[str, Any]) -> None:
    state["a"] = state["a"][:1]


def _places(state: dict[str, Any]) -> None:
    state["looked_at"] = state["looked_at"][:3]


def _never(state: dict[str, Any]) -> None:
    state["looked_at"] = state["looked_at"] * 0


def _since(state: dict[str, Any]) -> None:
    del state["known_to_ms"]


@pytest.mark.parametrize("damage", [_item, _twice, _less, _places, _never, _since])
def test_newcomers_that_are_none_are_refused(release: Release, damage: Any) -> None:
    assert release.newcomers is not None
    states = {name: dict(state) for name, state in release.newcomers.states().items()}
    damage(states["newcomers"])
    with pytest.raises(BadNewcomers, match="newcomers"):
        Newcomers.from_states(states, 40, 42)


def test_a_release_says_what_its_belief_has_seen_and_an_older_one_that_it_does_not(release: Release) -> None:
    assert release.newcomers is not None
    newest_event = START + timedelta(days=21)
    assert release.newcomers.known_to_ms == newest_event.replace(tzinfo=UTC).timestamp() * 1000
    assert sorted(release.person_ids) == [f"p{person:02}" for person in range(40)]
    states = {name: dict(state) for name, state in release.newcomers.states().items()}
    del states["newcomers"]["looked_at"], states["newcomers"]["known_to_ms"]
    before = Newcomers.from_states(states, 40, 42)
    assert (before.looked_at, before.known_to_ms) == (None, 0)


def test_a_release_whose_newcomers_are_gone_is_refused(paths: Paths, release: Release, tmp_path: Path) -> None:
    shutil.copytree(paths.models, tmp_path / "var" / "models")
    paths = Paths(var=tmp_path / "var", envs=tmp_path)
    (paths.models / "a" / "releases" / release.version / "newcomers_nearest.npz").unlink()
    with pytest.raises(CorruptArtefact, match="newcomers_nearest"):
        Release.load(paths.models, "a", release.version)
