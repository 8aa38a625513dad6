"""One run of the interactions protocol: read, choose, fit, rank, measure."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from models.matrix_models import make
from models.metrics import coverage, hits_of
from models.protocols import report
from models.protocols.choice import Choice, binary, choose
from models.protocols.interactions import InteractionTask, read_mask, read_task
from models.protocols.ranking import measure, rank_all


def run_interactions(asked: Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """The report. Raises BadTable."""
    watch = report.Stopwatch()
    task = read_task(asked.train, asked.test)
    masked = read_mask(asked.mask, task) if asked.mask else None
    watch.lap("read")
    tell(f"{len(task.train):,} pairs of {task.facts['users']:,} users and {task.facts['items']:,} items")
    ks = sorted(set(asked.k))
    if asked.model == "auto":
        choice = choose(task, ks[0], asked.seed, tell)
        watch.lap("choose")
    else:
        parameters = ({"seed": asked.seed} if asked.model in ("als", "gf_cf", "bspm") else {}) | asked.parameters
        choice = Choice(make(asked.model, parameters), {asked.model: parameters}, {asked.model: 1.0}, task.train.has_weights())
    train, histories = _as_learnt(task, choice)
    choice.model.fit(train, task.train.sales())
    watch.lap("fit")
    hidden = histories if masked is None else sparse.csr_matrix(histories + masked)
    lists = rank_all(choice.model.score, histories, max(ks), hidden)
    watch.lap("rank")
    values = measure(hits_of(lists, task.relevant), task.counts, ks)
    known = np.diff(histories.indptr) > 0
    report.write_rows(asked.per_user, values)
    found = {
        "protocol": "interactions",
        "model": asked.model,
        **report.summarise(values),
        **{f"coverage@{k}": round(coverage(lists[:, :k], task.facts["items"]), 6) for k in ks},
        "slices": report.slices(values, {"with_training_rows": known, "without_training_rows": ~known}, "users"),
        "chosen": {"parts": choice.parts, "shares": choice.weights, "uses_weight_column": choice.uses_weights},
        "trials": choice.trials,
        "data": task.facts,
        "seed": asked.seed,
    }
    watch.lap("measure")
    return {**found, "seconds": watch.told(), "machine": report.machine()}


def _as_learnt(task: InteractionTask, choice: Choice) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    train, histories = task.train.matrix(), task.histories
    return (train, histories) if choice.uses_weights else (binary(train), binary(histories))
