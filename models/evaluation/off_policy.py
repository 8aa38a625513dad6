"""What would another policy have earned, judged from the log of one that recorded its propensities?

All estimators take, per logged decision: ``reward``, ``logged`` (the probability with which the logging policy took the action
that it took, above zero) and ``target`` (the probability with which the judged policy would have taken it). The weight of a
decision is target / logged, cut at ``clip``. Decisions of one ``group``, such as a person, are not independent: intervals go by
how much groups differ; without groups each decision is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.data.sequences import Numbers
from models.evaluation.intervals import Estimate
from models.evaluation.metrics import Values

Z_95 = 1.959964


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


@dataclass(frozen=True)
class Terms:
    """An estimate as a ratio of sums over decisions: Σ ``above`` / Σ ``below``."""

    above: Values
    below: Values


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


def ips_terms(reward: Values, importance: Values) -> Terms:
    """Inverse propensity score: mean of weight × reward (Horvitz & Thompson 1952). Unbiased without clipping."""
    return Terms(importance * reward, np.ones(len(reward)))


def snips_terms(reward: Values, importance: Values) -> Terms:
    """Self-normalised: Σ weight × reward / Σ weight (Swaminathan & Joachims, NeurIPS 2015). Less variance, a little bias.

    Raises ValueError where every weight is 0.
    """
    if not importance.any():
        raise ValueError("the judged policy takes none of the logged actions; there is nothing to learn from the log")
    return Terms(importance * reward, importance)


def dr_terms(reward: Values, importance: Values, predicted: Values, expected: Values) -> Terms:
    """Mean of expected + weight × (reward − predicted) (Dudík, Langford & Li, ICML 2011).

    ``predicted``: a model's reward of the logged action; ``expected``: its mean reward over the judged policy's actions. Right
    when the model or the propensities are.
    """
    return Terms(expected + importance * (reward - predicted), np.ones(len(reward)))


def ips(reward: Values, logged: Values, target: Values, clip: float = np.inf, group: Numbers | None = None) -> Estimate:
    """``ips_terms`` with its 95 % interval."""
    return estimate_ratio(ips_terms(reward, weights(logged, target, clip)), group)


def snips(reward: Values, logged: Values, target: Values, clip: float = np.inf, group: Numbers | None = None) -> Estimate:
    """``snips_terms`` with its 95 % interval."""
    return estimate_ratio(snips_terms(reward, weights(logged, target, clip)), group)


def doubly_robust(
    reward: Values,
    logged: Values,
    target: Values,
    predicted: Values,
    expected: Values,
    clip: float = np.inf,
    group: Numbers | None = None,
) -> Estimate:
    """``dr_terms`` with its 95 % interval."""
    return estimate_ratio(dr_terms(reward, weights(logged, target, clip), predicted, expected), group)


def estimate_ratio(terms: Terms, group: Numbers | None = None) -> Estimate:
    """A ratio with its 95 % interval."""
    return _interval(_ratio(terms), _influence(terms), group)


def estimate_difference(first: Terms, second: Terms, group: Numbers | None = None) -> Estimate:
    """The first ratio less the second, over the same decisions, with its 95 % interval."""
    return _interval(_ratio(first) - _ratio(second), _influence(first) - _influence(second), group)


def _ratio(terms: Terms) -> float:
    return float(terms.above.sum() / terms.below.sum())


def _influence(terms: Terms) -> Values:
    """By how much each decision moves the ratio, times their number (delta method)."""
    return (terms.above - _ratio(terms) * terms.below) / float(terms.below.mean())


def _interval(mean: float, influence: Values, group: Numbers | None) -> Estimate:
    """Normal interval by the variance between groups (Liang & Zeger 1986)."""
    if group is None:
        of_group = influence
    else:
        _, number = np.unique(group, return_inverse=True)
        of_group = np.bincount(number, weights=influence).astype(np.float64)
    groups = len(of_group)
    if groups < 2:
        raise ValueError("decisions of one group alone do not show how much groups differ")
    error = float(np.sqrt((of_group**2).sum() * groups / (groups - 1))) / len(influence)
    return Estimate(mean, mean - Z_95 * error, mean + Z_95 * error)
