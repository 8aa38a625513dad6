"""The gate's question to the decision log: two releases' ways to choose new items, from their files to the sentence."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jishi import tables
from jishi.lake.reading import LakeVersion
from models.release.artefact import save
from models.release.champion import Champion
from models.release.exploring_judgement import NEWCOMERS, exploring_check, judge_exploring
from tests.lake import newest, record

START = datetime(2026, 11, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
GOOD, BAD = "i3", "i1"
RATES = {"i1": 0.02, "i2": 0.1, "i3": 0.3}


def release(folder: Path, best: str, items: tuple[str, ...] = ("i0", "i1", "i2", "i3")) -> Path:
    """A folder whose belief is all but sure that one item is best."""
    numbers = np.arange(1, len(items))
    a = np.where(np.array(items)[numbers] == best, 50.0, 1.0)
    save(folder, {NEWCOMERS: {"items": numbers, "a": a, "b": np.full(len(numbers), 100.0)}}, {"items": list(items)}, {})
    return folder


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeVersion:
    """1,500 explored places of shop ``a``, drawn evenly; and clicked ones that are not shown, ranked, old, another shop's."""
    rng, var = np.random.default_rng(1), tmp_path_factory.mktemp("var")
    rows = []
    for number in range(1_500):
        item = str(rng.choice(list(RATES)))
        place = {"shop_id": "a", "request_id": f"r{number}", "place": 5, "item_id": item, "arm": "explored"}
        place |= {"logged_at": START + timedelta(minutes=number), "shown_at": START, "person_id": f"u:{number % 700}"}
        place |= {"eligible": json.dumps(dict.fromkeys(RATES, 1 / 3)), "propensity": 0.2 / 3}
        rows.append(place | {"clicked_at": START if rng.random() < RATES[item] else None})
    others: list[dict[str, Any]] = [
        {"shown_at": None},
        {"arm": "ranked"},
        {"logged_at": START - timedelta(days=40)},
        {"shop_id": "b"},
    ]
    for which, other in enumerate(others):
        extra = {"item_id": BAD, "clicked_at": START} | other
        rows += [row | extra | {"request_id": f"{which}-{row['request_id']}"} for row in rows[:400]]
    record(var, {tables.SILVER_DECISIONS: rows})
    return newest(var)


def champion(version: str = "0001") -> Champion:
    return Champion(version, {}, None, None)


def test_a_candidate_that_would_show_what_nobody_clicks_is_refused_with_the_sentence(lake: LakeVersion, tmp_path: Path) -> None:
    release(tmp_path / "releases" / "0001", GOOD)
    judged = judge_exploring(lake, "a", release(tmp_path / "full", BAD), tmp_path / "releases", champion())
    assert judged["decisions"] == 1_500
    assert judged["persons"] == 700
    check = exploring_check(judged)
    assert (check.name, check.is_passed) == ("exploring", False)
    assert "worse than the release in use: clicks a place 0.0" in check.sentence
    assert judged["candidate"]["diagnostics"]["effective"] > 200
    assert json.loads(json.dumps(judged)) == judged
    other_way = judge_exploring(lake, "a", release(tmp_path / "better", GOOD), tmp_path / "releases", champion())
    assert exploring_check(other_way).is_passed


def test_a_shop_with_nothing_explored_is_not_judged(lake: LakeVersion, tmp_path: Path) -> None:
    release(tmp_path / "releases" / "0001", GOOD)
    judged = judge_exploring(lake, "nobody", release(tmp_path / "full", BAD), tmp_path / "releases", champion())
    check = exploring_check(judged)
    assert (check.is_passed, judged["is_supported"]) == (True, False)
    assert "too little support to say (0 explored places that were shown, 0 clicked)" in check.sentence


def test_what_cannot_be_asked_says_why_and_passes(lake: LakeVersion, tmp_path: Path) -> None:
    full = release(tmp_path / "full", BAD)
    save(tmp_path / "releases" / "none", {}, {"items": ["i0"]}, {})
    broken = release(tmp_path / "releases" / "broken", GOOD)
    (broken / f"{NEWCOMERS}.npz").write_bytes(b"no array")
    save(
        tmp_path / "releases" / "negative",
        {NEWCOMERS: {"items": np.array([0]), "a": np.array([-2.0]), "b": np.ones(1)}},
        {"items": ["i0"]},
        {},
    )
    for in_use, reason in (
        (None, "no other release is in use"),
        (champion("none"), "has no new items"),
        (champion("broken"), "cannot be read"),
        (champion("negative"), "are no belief"),
        (champion("gone"), "cannot be read"),
    ):
        check = exploring_check(judge_exploring(lake, "a", full, tmp_path / "releases", in_use))
        assert check.is_passed
        assert reason in check.sentence
