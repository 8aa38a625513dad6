"""``--model auto``: which matrix model, which parameters, mixed how; decided on a slice of the training pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from models.matrix_models import make
from models.metrics import Values, hits_of
from models.mixture import Mixture, mix
from models.protocols.interactions import InteractionTask
from models.protocols.ranking import batches, measure
from models.protocols.validation import Validation, cut
from models.recommender import Recommender, Scores, top_k

# Start of each family; EASE is then moved along its axes, because it gains most from it.
FAMILIES: dict[str, dict[str, Any]] = {
    "popularity": {},
    "item_knn": {},
    "gf_cf": {},
    "bspm": {},
    "als": {"factors": 64},
    "ease": {},
}
# Tried in turn; where the first of a pair helps, the second (the other direction) is not tried.
EASE_MOVES: tuple[tuple[dict[str, Any], ...], ...] = (
    ({"ridge": 1600.0}, {"ridge": 100.0}),
    ({"person_power": 0.0},),
    ({"dropout": 0.0},),
)
MIX_SHARES = (0.2, 0.4)
LEAST_GAIN = 0.001  # of the metric so far: a part that brings less is not worth its time


@dataclass
class Choice:
    """What was chosen, and every trial with the validation metric it got."""

    model: Recommender
    parts: dict[str, dict[str, Any]]
    weights: dict[str, float]
    uses_weights: bool
    trials: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Trial:
    name: str
    parameters: dict[str, Any]
    scores: Scores
    values: Values

    @property
    def value(self) -> float:
        return float(self.values.mean())


def choose_matrix_model(task: InteractionTask, k: int, seed: int, progress: Callable[[str], None]) -> Choice:
    """Try the families, tune EASE, mix what helps. With nothing to cut a slice from, popularity is the answer."""
    validation = cut(task, seed)
    if validation is None:
        progress("no user has two items: nothing to validate on, so popularity")
        return Choice(make("popularity"), {"popularity": {}}, {"popularity": 1.0}, uses_weights=False)
    bench = _Bench(validation, k, seed, progress, task.train.has_weights())
    best = {name: bench.run(name, parameters) for name, parameters in FAMILIES.items()}
    if task.train.has_weights():
        best["ease"] = bench.settle_weights(best["ease"])
    best["ease"] = bench.move(best["ease"])
    weights, value = _mix(best, validation, k)
    progress(f"chosen: {', '.join(f'{name} × {weight:g}' for name, weight in weights.items())}: ndcg@{k} {value:.4f}")
    parts = {name: best[name].parameters for name in weights}
    models = {name: make(name, parameters) for name, parameters in parts.items()}
    model: Recommender = next(iter(models.values())) if len(models) == 1 else Mixture(models, weights)
    return Choice(model, parts, weights, bench.uses_weights, bench.trials)


class _Bench:
    """Fits and judges one model at a time on the validation slice."""

    def __init__(self, validation: Validation, k: int, seed: int, progress: Callable[[str], None], has_weights: bool) -> None:
        self.validation, self.k, self.seed, self.progress = validation, k, seed, progress
        self.uses_weights = has_weights
        self.trials: list[dict[str, Any]] = []

    def run(self, name: str, parameters: dict[str, Any]) -> _Trial:
        """One trial."""
        train, histories = self.validation.train.matrix(), self.validation.histories
        if not self.uses_weights:
            train, histories = binary(train), binary(histories)
        model = make(name, parameters).fit(train, self.validation.train.sales())
        scores = np.concatenate([model.score(histories[part]) for part in batches(*histories.shape)])
        trial = _Trial(name, parameters, scores, validation_ndcg(scores, self.validation, self.k))
        self.progress(f"{name} {parameters or ''}: ndcg@{self.k} {trial.value:.4f}")
        entry = {
            "model": name,
            "parameters": parameters,
            "weighted": self.uses_weights,
            f"ndcg@{self.k}": round(trial.value, 6),
        }
        self.trials.append(entry)
        return trial

    def settle_weights(self, weighted: _Trial) -> _Trial:
        """Whether the weight column helps EASE; the other families follow its answer when they are fitted at last."""
        self.uses_weights = False
        plain = self.run(weighted.name, weighted.parameters)
        if weighted.value >= plain.value:
            self.uses_weights = True
            return weighted
        return plain

    def move(self, best: _Trial) -> _Trial:
        """Change one parameter at a time and keep what is better."""
        if best.scores.shape[1] > make("ease").exact_items:  # type: ignore[attr-defined]
            return best
        for directions in EASE_MOVES:
            for change in directions:
                trial = self.run(best.name, best.parameters | change)
                if is_better(trial.values, best.values):
                    best = trial
                    break
        return best


def is_better(new: Values, old: Values) -> bool:
    """Whether the mean rises by more than ``LEAST_GAIN`` of it and more than one standard error of the paired difference.

    Without the second condition every trial that is lucky on this slice would win.
    """
    gain = new - old
    error = gain.std() / np.sqrt(len(gain))
    return bool(gain.mean() > max(LEAST_GAIN * old.mean(), error))


def _mix(best: dict[str, _Trial], validation: Validation, k: int) -> tuple[dict[str, float], float]:
    """Greedily add to the best model a share of each other one while that helps."""
    ranked = sorted(best.values(), key=lambda trial: -trial.value)
    weights, values = {ranked[0].name: 1.0}, ranked[0].values
    for other in ranked[1:]:
        if other.value <= 0.5 * ranked[0].value:
            continue
        by_share = {}
        for share in MIX_SHARES:
            tried = weights | {other.name: share}
            by_share[share] = validation_ndcg(mix({name: best[name].scores for name in tried}, tried), validation, k)
        share = max(by_share, key=lambda each: float(by_share[each].mean()))
        if is_better(by_share[share], values):
            weights, values = weights | {other.name: share}, by_share[share]
    return weights, float(values.mean())


def validation_ndcg(scores: Scores, validation: Validation, k: int) -> Values:
    """NDCG@k of each user of the validation slice."""
    lists = np.full((len(scores), k), -1, dtype=np.int64)
    top = top_k(scores, k, validation.histories)
    lists[:, : top.shape[1]] = top
    return measure(hits_of(lists, validation.relevant), validation.counts, [k])[f"ndcg@{k}"]


def binary(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """The same entries, all 1."""
    ones = matrix.copy()
    ones.data[:] = 1
    return ones
