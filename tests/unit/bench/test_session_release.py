"""Sessions through a release on a small slice: what is loaded and asked one by one says what the evaluation says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.session_release import K, lists_of_release, run, write
from models.candidates.context_models import CONTEXTS
from models.data.sequences import Sequences
from models.protocols.session_choice import rank_sessions
from models.protocols.sessions import SessionTask

ITEMS = 60


@pytest.fixture
def task() -> SessionTask:
    """People go round a circle of items, mostly one step at a time."""
    rng = np.random.default_rng(5)
    walks = [(rng.integers(ITEMS) + np.cumsum(rng.integers(1, 3, rng.integers(2, 7)))) % ITEMS for _ in range(900)]
    popularity = np.argsort(-np.bincount(np.concatenate(walks), minlength=ITEMS), kind="stable")
    place = np.empty(ITEMS, dtype=np.int64)
    place[popularity] = np.arange(ITEMS)
    sessions = Sequences.of([place[walk] for walk in walks], ITEMS)
    prefixes, following = sessions.take(slice(800, None)).split_everywhere()
    return SessionTask(sessions.take(slice(0, 800)), prefixes, following, {})


def test_a_release_answers_as_the_evaluation_does(task: SessionTask, tmp_path: Path) -> None:
    lines: list[str] = []
    outcome = run(task, tmp_path, lines.append)
    assert outcome.name in CONTEXTS
    assert len(lines) == 5
    assert outcome.difference <= 0.002
    assert outcome.released[f"hit_rate@{K}"].mean() > 0.8  # of 60 items two can follow


@pytest.mark.parametrize("name", ["session_knn", "swalk", "session_mix"])
def test_lists_name_the_same_items(task: SessionTask, tmp_path: Path, name: str) -> None:
    model = CONTEXTS[name].make().fit(task.sessions)
    lists, seconds = lists_of_release(write(task.sessions, name, model, tmp_path), task.prefixes)
    evaluated = rank_sessions(model, task.prefixes, K)
    common = [len(np.intersect1d(*pair)) / K for pair in zip(lists, evaluated, strict=True)]
    assert np.mean(common) > 0.97  # sums in another order swap near ties
    assert (seconds > 0).all()
