"""Sessions through a release on a small slice: what is loaded and asked one by one says what the evaluation says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.session_release import ON_VISITS, SHOP_ID, VERSION, K, lists_of_release, run, write
from models.algorithms.session_model import SessionModel
from models.candidates.context_models import CONTEXTS, SESSION_BLEND
from models.data.sequences import Sequences
from models.protocols.session_choice import rank_sessions
from models.protocols.sessions import SessionTask
from models.release import plain_arrays
from models.release.artefact import CorruptArtefact
from models.release.serving_index import Release
from models.training.session_trees import teach_blend
from tests.releases import change_arrays

ITEMS = 60


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def released(task: SessionTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release whose item page the blend answers."""
    return write(task.sessions, SESSION_BLEND, fitted(SESSION_BLEND, task.sessions), tmp_path_factory.mktemp("released"))


def test_a_release_answers_as_the_evaluation_does(task: SessionTask, tmp_path: Path) -> None:
    lines: list[str] = []
    outcome = run(task, tmp_path, lines.append)
    assert outcome.name in CONTEXTS
    assert [line.split(":")[0] for line in lines] == [*ON_VISITS, SESSION_BLEND]
    assert outcome.difference <= 0.002
    assert outcome.released[f"hit_rate@{K}"].mean() > 0.8  # of 60 items two can follow


def fitted(name: str, sessions: Sequences) -> SessionModel:
    if name == SESSION_BLEND:
        return teach_blend(sessions.take(slice(0, 600)), sessions.take(slice(600, None)), seed=7).fit(sessions)
    model: SessionModel = CONTEXTS[name].make().fit(sessions)
    return model


@pytest.mark.parametrize("name", ["session_knn", "swalk", "session_mix", SESSION_BLEND])
def test_lists_name_the_same_items(task: SessionTask, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_arrays, "MAPPED", 0)  # every array is a view of its file, as those of a large shop are
    model = fitted(name, task.sessions)
    lists, seconds = lists_of_release(write(task.sessions, name, model, tmp_path), task.prefixes)
    evaluated = rank_sessions(model, task.prefixes, K)
    common = [len(np.intersect1d(*pair)) / K for pair in zip(lists, evaluated, strict=True)]
    assert np.mean(common) > 0.97  # sums in another order swap near ties
    assert (seconds > 0).all()


Arrays = dict[str, np.ndarray]
# What is done to the arrays of a blend, and what the refusal says after the file's name.
SABOTAGE: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "missing array": (
        lambda there: {key: array for key, array in there.items() if key != "swalk/rules_data"},
        "'rules_data' is missing",
    ),
    "missing trees": (
        lambda there: {key: array for key, array in there.items() if key != "trees/leaf"},
        "it needs trees over",
    ),
    "wrong type of columns": (
        lambda there: there | {"slist/rules_indices": there["slist/rules_indices"].astype(np.float32)},
        "slist/rules_indices holds float32, not whole numbers",
    ),
    "wrong type of trees": (
        lambda there: there | {"trees/feature": there["trees/feature"].astype(np.float32)},
        "its trees are not whole",
    ),
    "trees that ask for a column too many": (
        lambda there: there | {"trees/feature": there["trees/feature"] + 30},
        "its trees are not whole",
    ),
    "other size": (lambda there: there | {"popularity": there["popularity"][1:]}, r"popularity.*\(59,\)"),
    "other items": (
        lambda there: there | {"together/rules_indices": there["together/rules_indices"] + ITEMS},
        "ind",
    ),
    "other order": (lambda there: there | {"idf": there["idf"][::-1].copy()}, "it was .* when it was saved"),
}


@pytest.mark.parametrize("sabotage", SABOTAGE)
def test_a_blend_that_is_not_whole_is_refused_by_name(released: Path, tmp_path: Path, sabotage: str) -> None:
    change, message = SABOTAGE[sabotage]
    folder = tmp_path / "release"
    shutil.copytree(released, folder)
    assert Release.read(folder, SHOP_ID, VERSION).placement("item") is not None
    change_arrays(folder, f"context_{SESSION_BLEND}", change)
    with pytest.raises(CorruptArtefact, match=rf"context_{SESSION_BLEND}\.npz.*{message}"):
        Release.read(folder, SHOP_ID, VERSION)
