"""Sessions on RetailRocket through a release: ``python -m bench.session_release --data FOLDER``.

The models of item pages are fitted on all but the newest training sessions and judged on the last of those, as ``jishi evaluate
--model auto`` does (the others teach the trees of the blend, where there are enough); the best one is fitted on all, written as
a release beside the models that every release has, loaded as serving loads it, and asked prefix by prefix. Its figures stand
beside those of the same model in ``jishi evaluate``; they may differ by what a release looks back
(``models.data.visits.LOOKED_BACK`` items of a prefix). On 2026-12-01, load 7 to 10, HR@20 / MRR@20 of the blend: .6061 / .3359
evaluated, .6055 / .3358 through a release. The files are those of ``bench.retailrocket``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from models.algorithms.ladder import make_model
from models.algorithms.session_model import SessionModel
from models.candidates.context_models import CONTEXTS, SESSION_BLEND
from models.candidates.recipes import RECIPES, Fitted, Recipe
from models.candidates.stored_models import states_of
from models.data.sequences import Numbers, Sequences
from models.evaluation.metrics import Values
from models.protocols.session_choice import apart, next_item_metrics, rank_sessions
from models.protocols.sessions import SessionTask, read_sessions
from models.release.artefact import save
from models.release.registry import write_release
from models.release.serving_index import Release
from models.training.session_trees import TooFewToLearn, asked_of, teach_blend

K = 20
MOST_DIFFERENCE = 0.002
SEED = 7
ON_VISITS = ("rules", "together", "session_knn", "swalk", "session_mix")  # and the blend
SHOP_ID, VERSION = "protocol", "1"


@dataclass(frozen=True)
class ReleasedSessions:
    """The model of the release, its metrics on each test row from both ways, and the milliseconds of each answer."""

    name: str
    evaluated: dict[str, Values]
    released: dict[str, Values]
    answer_ms: np.ndarray

    @property
    def difference(self) -> float:
        """The largest one between the means of a metric."""
        return max(abs(float(self.released[name].mean() - self.evaluated[name].mean())) for name in self.evaluated)


def choose(sessions: Sequences, progress: Callable[[str], None]) -> tuple[str, SessionModel]:
    """The model of item pages that lists the newest sessions' next items best, by hit rate and reciprocal rank together; it is
    fitted on the sessions before those.
    """
    earlier, taught, judged = apart(sessions)
    prefixes, following = asked_of(judged)
    models: dict[str, SessionModel] = {name: CONTEXTS[name].make().fit(earlier) for name in ON_VISITS}
    try:
        models[SESSION_BLEND] = teach_blend(earlier, taught, SEED)
    except TooFewToLearn as error:
        progress(f"no {SESSION_BLEND}: {error}")
    sums = {}
    for name, model in models.items():
        values = next_item_metrics(rank_sessions(model, prefixes, K), following, K)
        progress(f"{name}: " + ", ".join(f"{metric} {each.mean():.4f}" for metric, each in values.items()))
        sums[name] = sum(float(each.mean()) for each in values.values())
    best = max(sums, key=lambda name: sums[name])
    return best, models[best]


def write(sessions: Sequences, name: str, model: SessionModel, folder: Path) -> Path:
    """A release whose item page is answered by the model; items are their numbers, and nobody is known by id."""
    histories = sessions.latest(np.ones(len(sessions.flat)))
    sales = np.asarray(histories.sum(axis=0), dtype=np.float32).ravel()
    fitted = {each: make_model(each, {}).fit(histories, sales) for each in ("popularity", "item_knn")}
    als = make_model("als", {"factors": 8}).fit(histories, sales).state()
    states = {each: model.state() for each, model in fitted.items()}
    states["als"] = als | {"person_factors": np.empty((0, als["item_factors"].shape[1]), dtype=np.float32)}
    states |= states_of(Fitted({name: model}, {}))
    ids = {"items": [str(number) for number in range(sessions.items)], "persons": []}
    save(folder / "full", states, ids, {"shop_id": SHOP_ID})
    ladder = {"model": "ladder", "recipe": None, "sentence": "the protocol does not ask it"}
    chosen = {"model": name, "recipe": Recipe(name, context=name).as_json(), "sentence": "best on the newest sessions"}
    placements = {placement: chosen if placement == "item" else ladder for placement in RECIPES}
    write_release(folder / "full", folder / "release", {"placements": placements, "beats_popularity": ["item_knn"]})
    return folder / "release"


def lists_of_release(folder: Path, prefixes: Sequences) -> tuple[Numbers, np.ndarray]:
    """The ``K`` best items after each prefix, filled with what is popular, and how long each answer took."""
    release = Release.read(folder, SHOP_ID, VERSION)
    model = release.placement("item")
    assert model is not None
    lists, seconds = np.full((len(prefixes), K), -1, dtype=np.int64), np.zeros(len(prefixes))
    popular = np.lexsort((np.arange(len(release.popularity)), -release.popularity))[: 2 * K]
    for row, prefix in enumerate(prefixes):
        began = time.perf_counter()
        sums = model.follow(prefix.tolist())
        best = np.empty(0, dtype=np.int64) if sums is None else sums.items[np.lexsort((sums.items, -sums.weights))][:K]
        seconds[row] = time.perf_counter() - began
        lists[row] = np.concatenate([best, popular[~np.isin(popular, best)]])[:K]
    return lists, seconds


def run(task: SessionTask, folder: Path, progress: Callable[[str], None]) -> ReleasedSessions:
    """Choose, fit, release, load, ask."""
    name, model = choose(task.sessions, progress)
    model.fit(task.sessions)
    evaluated = next_item_metrics(rank_sessions(model, task.prefixes, K), task.following, K)
    lists, seconds = lists_of_release(write(task.sessions, name, model, folder), task.prefixes)
    return ReleasedSessions(name, evaluated, next_item_metrics(lists, task.following, K), seconds * 1000)


def main() -> int:
    """Print both rows; exit with 1 where they differ by more than ``MOST_DIFFERENCE``."""
    parser = argparse.ArgumentParser(prog="python -m bench.session_release", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the two Parquet files")
    chosen = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    task = read_sessions(chosen.data / "retailrocket_train.parquet", chosen.data / "retailrocket_test.parquet")
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(task, Path(folder), lambda line: console.print(f"  {line}", highlight=False))
    table = Table("", *outcome.evaluated, title=f"{outcome.name}, {len(task.prefixes):,} prefixes", title_justify="left")
    for way, values in (("jishi evaluate", outcome.evaluated), ("through a release", outcome.released)):
        table.add_row(way, *(f"{each.mean():.4f}" for each in values.values()))
    console.print(table)
    p50, p99 = np.quantile(outcome.answer_ms, [0.5, 0.99])
    console.print(f"difference {outcome.difference:.4f}; an answer takes p50 {p50:.2f} ms, p99 {p99:.2f} ms", highlight=False)
    return 0 if outcome.difference <= MOST_DIFFERENCE else 1


if __name__ == "__main__":
    sys.exit(main())
