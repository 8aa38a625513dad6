"""Judge a session recommender on any table of sequences.

A training row is a sequence: ``items``, a list, oldest first (text or whole numbers of any size). A test row is a ``prefix`` (a
list) and the item that came ``next``. The whole catalogue, what the training rows name, is ranked after each prefix; items of
the prefix are not masked, because people go back to them.

- HR@k: whether the next item is among the first k; MRR@k: 1 / its place, 0 beyond k; means over test rows, with a 95 %
  bootstrap interval.
- Training rows are taken as they come, oldest first; a column ``timestamp`` in the training file sorts them (equal ones keep
  their order). Recency therefore counts, and the order of training rows matters; that of test rows does not.
- A prefix item that no training row names is left out of its prefix; a prefix with none left gets what is popular. A next item
  that no training row names counts and can never be hit.
- A training row without items is dropped; one of a single item teaches popularity only.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from models.data.sequences import Numbers, Sequences
from models.evaluation.metrics import coverage
from models.protocols import report, tables
from models.protocols.session_choice import (
    SESSION_MODELS,
    SessionChoice,
    choose_session_model,
    learn_session_blend,
    next_item_metrics,
    rank_sessions,
)
from models.training.session_trees import TooFewToLearn

WINDOW = 50  # clicks of a prefix that are looked at


@dataclass(frozen=True)
class SessionTask:
    """Sessions to learn from, prefixes to ask, and the next item of each (−1 when it is unknown)."""

    sessions: Sequences
    prefixes: Sequences
    following: Numbers
    facts: dict[str, Any]


def read_sessions(train_file: Path, test_file: Path) -> SessionTask:
    """Read and check both files. Raises BadTable."""
    files = (train_file, test_file)
    train = tables.read_table(train_file, ["items"], ["timestamp"])
    test = tables.read_table(test_file, ["prefix", "next"])
    if "timestamp" in train.column_names:
        at = tables.instants(train, "timestamp", train_file)
        train = train.take(pa.array(np.argsort(at, kind="stable")))
    learnt, starts = tables.lists(train, "items", train_file)
    asked, asked_starts = tables.lists(test, "prefix", test_file)
    after = tables.ids(test, "next", test_file)
    if len(learnt) == 0:
        raise tables.BadTable(f"{train_file}: every list of column 'items' is empty; give at least one with items")
    both, flat_test = tables.same_kind(learnt, asked, "prefix", files)
    known, flat, prefix_flat = tables.number(both, flat_test)
    following = tables.numbers_of(tables.as_kind(after, known, "next", test_file), known)
    popularity = np.bincount(flat, minlength=len(known))
    place = np.empty(len(known), dtype=np.int64)
    place[np.lexsort((np.arange(len(known)), -popularity))] = np.arange(len(known))
    sessions = Sequences(place[flat], starts, len(known))
    sessions = sessions.take(np.flatnonzero(sessions.lengths > 0))
    is_known = prefix_flat >= 0
    prefixes = Sequences(np.where(is_known, place[prefix_flat], 0), asked_starts, len(known)).where(is_known)
    facts = {
        "train_sessions": len(sessions),
        "train_clicks": len(flat),
        "train_sessions_without_items": train.num_rows - len(sessions),
        "items": len(known),
        "test_rows": test.num_rows,
        "test_rows_with_unknown_next": int((following < 0).sum()),
        "test_prefix_items_unknown": int((~is_known).sum()),
        "test_prefixes_without_known_items": int((prefixes.lengths == 0).sum()),
        "next_seen_in_prefix": int(_seen(prefixes, np.where(following >= 0, place[following], -1)).sum()),
    }
    return SessionTask(sessions, prefixes.tail(WINDOW), np.where(following >= 0, place[following], -1), facts)


def _seen(prefixes: Sequences, following: Numbers) -> np.ndarray:
    same = prefixes.flat == np.repeat(following, prefixes.lengths)
    return np.bincount(prefixes.row()[same], minlength=len(prefixes)) > 0


def run_sessions(asked: Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """The report. Raises BadTable."""
    watch = report.Stopwatch()
    task = read_sessions(asked.train, asked.test)
    watch.lap("read")
    progress(f"{len(task.sessions):,} sessions of {task.facts['items']:,} items, {len(task.prefixes):,} prefixes to ask")
    ks = sorted(set(asked.k))
    choice = _chosen(task.sessions, asked, ks[-1], progress)
    watch.lap("fit")
    lists = rank_sessions(choice.model, task.prefixes, ks[-1])
    watch.lap("rank")
    values: dict[str, np.ndarray] = {}
    for k in ks:
        values |= next_item_metrics(lists, task.following, k)
    seen = _seen(task.prefixes, task.following)
    report.write_rows(asked.per_user, values)
    result = {
        "protocol": "sessions",
        "model": asked.model,
        **report.summarise(values),
        **{f"coverage@{k}": round(coverage(lists[:, :k], task.facts["items"]), 6) for k in ks},
        "slices": report.slices(values, {"next_seen_in_prefix": seen, "next_not_seen_in_prefix": ~seen}, "prefixes"),
        "chosen": {"model": choice.name, "parameters": asked.parameters},
        "trials": choice.trials,
        "data": task.facts,
        "seed": asked.seed,
    }
    watch.lap("measure")
    return {**result, "seconds": watch.as_json(), "machine": report.machine()}


def _chosen(sessions: Sequences, asked: Namespace, k: int, progress: Callable[[str], None]) -> SessionChoice:
    if asked.model == "auto":
        return choose_session_model(sessions, k, asked.seed, progress)
    if asked.model == "blend":
        try:
            return SessionChoice(learn_session_blend(sessions, asked.seed), "blend")
        except TooFewToLearn as error:
            raise tables.BadTable(f"{asked.train}: the blend cannot be learnt: {error}; use --model knn or auto") from error
    return SessionChoice(SESSION_MODELS[asked.model](**asked.parameters).fit(sessions), asked.model)
