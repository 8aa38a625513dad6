"""One run of the interactions protocol: read, choose, fit, rank, measure."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items
from models.evaluation.metrics import coverage, gini, hits_of, measure, novelty
from models.lab.matrix_models import make
from models.protocols import report
from models.protocols.interaction_choice import InteractionChoice, binary, choose_matrix_model
from models.protocols.interactions import InteractionTask, read_task
from models.protocols.item_groups import groups_of, slices_by_item
from models.protocols.masks import read_mask
from models.protocols.per_user import write_per_user
from models.protocols.ranking import rank_all
from models.protocols.revenue import read_amounts, revenue_metrics


def run_interactions(asked: Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """The report. Raises BadTable."""
    watch = report.Stopwatch()
    task = read_task(asked.train, asked.test)
    masked = read_mask(asked.mask, task) if asked.mask else None
    watch.lap("read")
    progress(f"{len(task.train):,} pairs of {task.facts['users']:,} users and {task.facts['items']:,} items")
    ks = sorted(set(asked.k))
    if asked.model == "auto":
        choice = choose_matrix_model(task, ks[0], asked.seed, progress)
        watch.lap("choose")
    else:
        parameters = ({"seed": asked.seed} if asked.model in ("als", "gf_cf", "bspm", "chebycf") else {}) | asked.parameters
        choice = InteractionChoice(
            make(asked.model, parameters), {asked.model: parameters}, {asked.model: 1.0}, task.train.has_weights()
        )
    train, histories = _as_learnt(task, choice)
    choice.model.fit(train, task.train.sales())
    watch.lap("fit")
    hidden = histories if masked is None else sparse.csr_matrix(histories + masked)
    lists = rank_all(choice.model.score, histories, max(ks), hidden)
    watch.lap("rank")
    values = measure(hits_of(lists, task.relevant), task.counts, ks)
    values |= {f"novelty@{k}": novelty(lists[:, :k], task.train.sales(), task.train.users) for k in ks}
    revenue = _revenue(task, asked, lists, ks)
    if asked.per_user:
        write_per_user(asked.per_user, task, values)
    known = np.diff(histories.indptr) > 0
    parts = {"with_training_rows": known, "without_training_rows": ~known}
    result = {
        "protocol": "interactions",
        "model": asked.model,
        **report.summarise(values),
        **revenue,
        **{f"coverage@{k}": round(coverage(lists[:, :k], task.facts["items"]), 6) for k in ks},
        **{f"gini@{k}": round(gini(lists[:, :k], task.facts["items"]), 6) for k in ks},
        "slices": report.slices(values, parts, "users"),
        "slices_by_item": slices_by_item(lists, task.relevant, groups_of(task.facts["items"], task.by_item, task.relevant), ks),
        "chosen": {"parts": choice.parts, "shares": choice.weights, "uses_weight_column": choice.uses_weights},
        "trials": choice.trials,
        "data": task.facts,
        "seed": asked.seed,
    }
    watch.lap("measure")
    return {**result, "seconds": watch.as_json(), "machine": report.machine()}


def _revenue(task: InteractionTask, asked: Namespace, lists: Items, ks: list[int]) -> dict[str, Any]:
    """``revenue``: metrics with intervals over the users who spent something; nothing without the column."""
    amounts = read_amounts(task, asked.test, ks[-1])
    if amounts is None:
        return {}
    values, rows = revenue_metrics(amounts, lists, ks)
    return {"revenue": {"users": len(rows), **(report.summarise(values) if len(rows) else {})}}


def _as_learnt(task: InteractionTask, choice: InteractionChoice) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    train, histories = task.train.matrix(), task.histories
    return (train, histories) if choice.uses_weights else (binary(train), binary(histories))
