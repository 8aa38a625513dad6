"""Parameters are chosen before the test window's cut, from what was known then."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from models.data.interactions import Interactions
from models.data.split import SplitWindow, last_active_days
from models.evaluation.metrics import MAIN_METRIC
from models.training.parameter_choice import GRID, choose_parameters

DAYS, PERSONS, ITEMS = 26, 30, 20


def shop(days: int = DAYS) -> Interactions:
    """Persons who buy the same two items again and again, and now and then anything."""
    luck = random.Random(2)
    rows = sorted(
        (np.datetime64("2026-09-01T08:00", "us") + np.timedelta64(24 * 60 * day + luck.randrange(600), "m"), person, item)
        for person in range(PERSONS)
        for day in range(days)
        for item in [luck.choice([person % ITEMS, (7 * person + 3) % ITEMS]) if luck.random() < 0.8 else luck.randrange(ITEMS)]
    )
    times, persons, items = (np.array(column) for column in zip(*rows, strict=True))
    ids = [np.array([f"{letter}{n:02}" for n in range(size)]) for letter, size in (("p", PERSONS), ("i", ITEMS))]
    return Interactions(*ids, persons, items, np.full(len(rows), "pay"), times, times)


@pytest.fixture(scope="module")
def window() -> SplitWindow:
    return last_active_days(shop().occurred_at)


def test_the_best_candidate_on_the_validation_days_is_taken(window: SplitWindow) -> None:
    chosen, report = choose_parameters(shop(), window)
    assert chosen.keys() == GRID.keys()
    assert (report["metric"], report["persons"]) == (MAIN_METRIC, PERSONS)
    assert report["candidates"].keys() == {"item_knn", "als"}
    for name, candidates in report["candidates"].items():
        scores = [candidate[MAIN_METRIC] for candidate in candidates]
        assert chosen[name] == GRID[name][int(np.argmax(scores))]
    assert chosen["item_knn"] == {"self_weight": 10.0}  # where people buy again, an item speaks for itself


def test_of_many_persons_evenly_spaced_ones_teach_and_are_judged(window: SplitWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    _, of_all = choose_parameters(shop(), window)
    monkeypatch.setattr("models.training.parameter_choice.MOST_PERSONS", 10)
    monkeypatch.setattr("models.training.parameter_choice.MOST_TEACHERS", 15)
    chosen, report = choose_parameters(shop(), window)
    assert report["persons"] == 10
    assert chosen["item_knn"] == {"self_weight": 10.0}
    assert report["candidates"] != of_all["candidates"]


def test_nothing_after_the_cut_or_learnt_after_it_changes_the_choice(window: SplitWindow) -> None:
    result = shop()
    other = replace(
        result,
        item=np.where(result.occurred_at >= window.cut, (result.item + 1) % ITEMS, result.item),
    )
    assert choose_parameters(other, window) == choose_parameters(result, window)
    late = np.append(np.flatnonzero(result.occurred_at < window.cut)[:50], 0)
    told_late = replace(result, known_at=result.known_at.copy())
    told_late.known_at[late] = window.test_from
    is_known = np.ones(len(result), dtype=np.bool_)
    is_known[late] = False
    assert choose_parameters(told_late, window) == choose_parameters(result.where(is_known), window)


def test_a_history_too_short_to_choose_keeps_the_defaults() -> None:
    result = shop(days=20)
    chosen, report = choose_parameters(result, last_active_days(result.occurred_at))
    assert chosen == {name: grid[0] for name, grid in GRID.items()}
    assert "12 days with payments" in report["skipped"]
