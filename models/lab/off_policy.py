"""What would another policy have earned, judged from the log of one that recorded its propensities?

All estimators take, per logged decision: ``reward``, ``logged`` (the probability with which the logging policy took the action
that it took, above zero) and ``target`` (the probability with which the judged policy would have taken it). The weight of a
decision is target / logged, cut at ``clip``.

It does not serve and no gate asks it yet: only benches check it on logs whose truth is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.evaluation.intervals import Estimate, bootstrap_all
from models.evaluation.metrics import Values

RESAMPLES = 200


@dataclass(frozen=True)
class Diagnostics:
    """How far the estimate can be trusted: few effective decisions or much clipping mean that the policies hardly meet.

    ``effective`` is Kish's effective sample size (Σw)² / Σw²; ``mean_weight`` is near 1 when the log covers the judged policy.
    """

    decisions: int
    effective: float
    mean_weight: float
    largest_weight: float
    clipped: float


def weights(logged: Values, target: Values, clip: float = np.inf) -> Values:
    """Importance weights. Raises ValueError when a propensity is not within (0, 1] or a target not within [0, 1]."""
    if len(logged) == 0:
        raise ValueError("the log is empty")
    if not (np.isfinite(logged) & (logged > 0) & (logged <= 1)).all():
        raise ValueError("a logged propensity is not above 0 and at most 1: such a decision cannot be reweighed")
    if not (np.isfinite(target) & (target >= 0) & (target <= 1)).all():
        raise ValueError("a target probability is not between 0 and 1")
    return np.minimum(target / logged, clip)


def diagnose(logged: Values, target: Values, clip: float = np.inf) -> Diagnostics:
    """Diagnostics of the weights."""
    raw, cut = weights(logged, target), weights(logged, target, clip)
    squares = float((cut**2).sum())
    effective = float(cut.sum() ** 2 / squares) if squares else 0.0
    return Diagnostics(len(cut), effective, float(raw.mean()), float(raw.max()), float((raw > clip).mean()))


def ips(reward: Values, logged: Values, target: Values, clip: float = np.inf) -> Estimate:
    """Inverse propensity score: mean of weight × reward (Horvitz & Thompson 1952). Unbiased without clipping."""
    return bootstrap_all({"value": weights(logged, target, clip) * reward})["value"]


def snips(reward: Values, logged: Values, target: Values, clip: float = np.inf, seed: int = 7) -> Estimate:
    """Self-normalised: Σ weight × reward / Σ weight (Swaminathan & Joachims, NeurIPS 2015). Less variance, a little bias."""
    importance = weights(logged, target, clip)
    if not importance.any():
        raise ValueError("the judged policy takes none of the logged actions; there is nothing to learn from the log")
    rng, size = np.random.default_rng(seed), len(importance)
    drawn = np.array([_ratio(importance, reward, rng.integers(size, size=size)) for _ in range(RESAMPLES)])
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(float(importance @ reward / importance.sum()), float(low), float(high))


def _ratio(importance: Values, reward: Values, rows: npt.NDArray[np.int64]) -> float:
    total = importance[rows].sum()
    return float(importance[rows] @ reward[rows] / total) if total else float("nan")


def doubly_robust(
    reward: Values, logged: Values, target: Values, predicted: Values, expected: Values, clip: float = np.inf
) -> Estimate:
    """Mean of expected + weight × (reward − predicted) (Dudík, Langford & Li, ICML 2011).

    ``predicted``: a model's reward of the logged action; ``expected``: its mean reward over the judged policy's actions. Right
    when the model or the propensities are.
    """
    return bootstrap_all({"value": expected + weights(logged, target, clip) * (reward - predicted)})["value"]
