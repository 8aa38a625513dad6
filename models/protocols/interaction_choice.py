"""``--model auto``: which matrix model, which parameters, mixed how; decided in time on a slice of the training pairs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, Recommender
from models.evaluation.metrics import Values, hits_of, measure
from models.lab.matrix_models import make
from models.lab.mixture import Mixture
from models.protocols.interactions import InteractionTask
from models.protocols.top_lists import TopLists, joined_lists, mixed_items, top_lists
from models.protocols.validation import Validation, folds_of

# Start of each family.
FAMILIES: dict[str, dict[str, Any]] = {
    "popularity": {},
    "item_knn": {},
    "gf_cf": {},
    "bspm": {},
    "chebycf": {},
    "als": {"factors": 64},
    "ease": {},
}
# How the leaders are moved: each axis in turn, its directions in turn until one helps.
MOVES: dict[str, tuple[tuple[dict[str, Any], ...], ...]] = {
    "gf_cf": (({"factors": 256}, {"factors": 64}), ({"ideal": 0.6}, {"ideal": 0.1})),
    "bspm": (({"factors": 256}, {"factors": 64}), ({"sharpening": 0.25}, {"sharpening": 1.0})),
    "chebycf": (({"factors": 512}, {"factors": 128}), ({"power": 0.5}, {"power": 0.3})),
    "als": (({"factors": 128}, {"factors": 32}),),
    "ease": (({"ridge": 1600.0}, {"ridge": 100.0}), ({"person_power": 0.0},), ({"dropout": 0.0},)),
}
MOVED = 3  # families that are moved
MIX_SHARES = (0.2, 0.4)
LEAST_GAIN = 0.001  # of the metric so far: a part that brings less is not worth its time
# The first look, where there is more than twice as much to learn from; of it the better half of the families stays, at least
# ``STAYING``.
FIRST_TEACHERS, FIRST_ASKED, STAYING = 8_000, 2_000, 4
# Of the choice and the fit of what was chosen: nothing is begun with which that is expected to end later. What is expected is
# taken ``SAFETY`` times: fits grow faster than what they learn from, and other jobs come and go.
BUDGET_S, SAFETY = 300.0, 1.5
FIRST_MIX = 0.25  # of the time of a trial, until a mix has been made


@dataclass
class InteractionChoice:
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
    lists: TopLists
    values: Values
    seconds: float

    @property
    def value(self) -> float:
        return float(self.values.mean())


def choose_matrix_model(
    task: InteractionTask, k: int, seed: int, progress: Callable[[str], None], budget_s: float = BUDGET_S
) -> InteractionChoice:
    """Look at all families on few users, at the better ones on all, move the best, mix what helps.

    With nothing to cut a slice from, popularity is the answer. At least one family is tried, whatever the budget.
    """
    folds = folds_of(task, seed)
    if not folds:
        progress("no user has two items: nothing to validate on, so popularity")
        return InteractionChoice(make("popularity"), {"popularity": {}}, {"popularity": 1.0}, uses_weights=False)
    clock = _Clock(time.monotonic() + budget_s)
    names, expected_s = list(FAMILIES), dict.fromkeys(FAMILIES, 0.0)
    trials: list[dict[str, Any]] = []
    if task.train.users > 2 * FIRST_TEACHERS:
        sample = folds[0].sample(FIRST_TEACHERS, FIRST_ASKED, seed)
        first = _Bench([sample], k, progress, task.train.has_weights(), trials, clock)
        looks = [trial for trial in (first.run(name, FAMILIES[name], 0.0) for name in names) if trial is not None]
        looks.sort(key=lambda trial: -trial.value)
        taught = len(folds) * len(folds[0].train) / max(1, len(sample.train))
        growth = max(taught, sum(fold.relevant.shape[0] for fold in folds) / max(1, sample.relevant.shape[0]))
        expected_s = {trial.name: growth * trial.seconds for trial in looks}
        clock.last_fit_s = expected_s[looks[0].name] / len(folds)
        names = [trial.name for trial in looks[: max(STAYING, len(looks) // 2)]]
    bench = _Bench(folds, k, progress, task.train.has_weights(), trials, clock)
    best: dict[str, _Trial] = {}
    for name in names:
        trial = bench.run(name, FAMILIES[name], expected_s[name])
        if trial is not None:
            best[name] = trial
    if task.train.has_weights():
        bench.settle_weights(best)
    for name in sorted(best, key=lambda each: -best[each].value)[:MOVED]:
        best[name] = bench.moved(best[name])
    weights, value = bench.mixed(best)
    progress(f"chosen: {', '.join(f'{name} × {weight:g}' for name, weight in weights.items())}: ndcg@{k} {value:.4f}")
    parts = {name: best[name].parameters for name in weights}
    models = {name: make(name, parameters) for name, parameters in parts.items()}
    model: Recommender = next(iter(models.values())) if len(models) == 1 else Mixture(models, weights)
    return InteractionChoice(model, parts, weights, bench.uses_weights, bench.trials)


@dataclass
class _Clock:
    """When the answer must be there (monotonic seconds), and what the fit of the best model so far will take."""

    until: float
    last_fit_s: float = 0.0

    def allows(self, seconds: float) -> bool:
        return time.monotonic() + SAFETY * (seconds + self.last_fit_s) <= self.until


class _Bench:
    """Fits and judges one model at a time on validation slices."""

    def __init__(
        self,
        folds: list[Validation],
        k: int,
        progress: Callable[[str], None],
        has_weights: bool,
        trials: list[dict[str, Any]],
        clock: _Clock,
    ) -> None:
        self.folds, self.k, self.progress = folds, k, progress
        self.relevant = sparse.csr_matrix(sparse.vstack([fold.relevant for fold in folds], format="csr"))
        self.uses_weights = has_weights
        self.trials, self.clock = trials, clock
        self._is_first = True
        self._best_value = -np.inf

    def run(self, name: str, parameters: dict[str, Any], expected_s: float) -> _Trial | None:
        """One trial; None where it would end after the budget, which the first one of a bench never does."""
        asked = {"model": name, "parameters": parameters, "weighted": self.uses_weights, "lists": self.relevant.shape[0]}
        if not self._is_first and not self.clock.allows(expected_s):
            self.progress(f"{name} {parameters or ''}: left out, it would end after the time given to the choice")
            self.trials.append(asked | {"left_out": "time"})
            return None
        self._is_first = False
        began = time.monotonic()
        lists = joined_lists([self._lists(name, parameters, fold) for fold in self.folds])
        values = self._ndcg(lists.items[:, : self.k].astype(np.int64))
        trial = _Trial(name, parameters, lists, values, time.monotonic() - began)
        self.progress(f"{name} {parameters or ''}: ndcg@{self.k} {trial.value:.4f} of {len(values):,} lists")
        self.trials.append(asked | {f"ndcg@{self.k}": round(trial.value, 6)})
        if trial.value > self._best_value:
            self._best_value, self.clock.last_fit_s = trial.value, trial.seconds / len(self.folds)
        return trial

    def settle_weights(self, best: dict[str, _Trial]) -> None:
        """Whether the weight column helps the leader; all families follow its answer when they are fitted at last."""
        leader = max(best.values(), key=lambda trial: trial.value)
        self.uses_weights = False
        plain = self.run(leader.name, leader.parameters, leader.seconds)
        if plain is None or leader.value >= plain.value:
            self.uses_weights = True
        else:
            best[leader.name] = plain

    def moved(self, best: _Trial) -> _Trial:
        """Change one parameter at a time and keep what is better."""
        for directions in MOVES.get(best.name, ()):
            for change in directions:
                trial = self.run(
                    best.name, best.parameters | change, best.seconds * _growth(best.name, best.parameters, change)
                )
                if trial is not None and is_better(trial.values, best.values, errors=0):
                    best = trial
                    break
        return best

    def mixed(self, best: dict[str, _Trial]) -> tuple[dict[str, float], float]:
        """Greedily add to the best model a share of each other one while that helps.

        One that is within a standard error of the best is another toss of a coin: it is added in equal parts where that does no
        harm, for the mean of two such models is right more often than either. One more model is fitted at last, too, so it is
        left out where that would end after the budget.
        """
        ranked = sorted(best.values(), key=lambda trial: -trial.value)
        leader = ranked[0]
        weights, values, mix_s = {leader.name: 1.0}, leader.values, FIRST_MIX * leader.seconds
        self.clock.last_fit_s = leader.seconds / len(self.folds)
        for other in ranked[1:]:
            if other.value <= 0.5 * leader.value:
                continue
            if not self.clock.allows(len(MIX_SHARES) * mix_s + other.seconds / len(self.folds)):
                self.progress(f"{other.name}: not mixed in, it would end after the time given to the choice")
                asked = {"model": other.name, "parameters": other.parameters, "weighted": self.uses_weights}
                self.trials.append(asked | {"lists": self.relevant.shape[0], "left_out": "time to mix it in"})
                continue
            is_toss = len(weights) == 1 and leader.value - other.value <= standard_error(leader.values - other.values)
            by_share, took = {}, []
            for share in (1.0,) if is_toss else MIX_SHARES:
                tried = weights | {other.name: share}
                parts, began = {name: best[name].lists for name in tried}, time.monotonic()
                by_share[share] = self._ndcg(mixed_items(parts, tried, self.relevant.shape[1], self.k))
                took.append(time.monotonic() - began)
            mix_s = max(took)
            share = max(by_share, key=lambda each: float(by_share[each].mean()))
            if is_better(by_share[share], values, errors=2) or (is_toss and by_share[share].mean() >= values.mean()):
                weights, values = weights | {other.name: share}, by_share[share]
                self.clock.last_fit_s += other.seconds / len(self.folds)
        return weights, float(values.mean())

    def _lists(self, name: str, parameters: dict[str, Any], fold: Validation) -> TopLists:
        train, histories = fold.train.matrix(), fold.histories
        if not self.uses_weights:
            train, histories = binary(train), binary(histories)
        return top_lists(make(name, parameters).fit(train, fold.train.sales()).score, histories)

    def _ndcg(self, lists: Items) -> Values:
        """NDCG@k of each list, shape (lists, ≤ k)."""
        padded = np.full((len(lists), self.k), -1, dtype=np.int64)
        padded[:, : lists.shape[1]] = lists
        counts = np.diff(self.relevant.indptr).astype(np.int64)
        return measure(hits_of(padded, self.relevant), counts, [self.k])[f"ndcg@{self.k}"]


def _growth(name: str, parameters: dict[str, Any], change: dict[str, Any]) -> float:
    """How many times longer a changed model is expected to take: as many as it has factors."""
    factors = getattr(make(name, parameters), "factors", None)
    return max(1.0, change.get("factors", 0) / factors) if factors else 1.0


def is_better(new: Values, old: Values, errors: float) -> bool:
    """Whether the mean rises by more than ``LEAST_GAIN`` of it and ``errors`` standard errors of the paired difference.

    Of a few trials of one model the best is as good a guess as any, so 0 errors; of many mixes some are lucky on this slice.
    """
    gain = new - old
    return bool(gain.mean() > max(LEAST_GAIN * old.mean(), errors * standard_error(gain)))


def standard_error(values: Values) -> float:
    """Of the mean."""
    return float(values.std() / np.sqrt(len(values)))


def binary(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """The same entries, all 1."""
    ones = matrix.copy()
    ones.data[:] = 1
    return ones
