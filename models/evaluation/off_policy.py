"""What would another policy have earned, judged from the log of one that recorded its propensities?

All estimators take, per logged decision: ``reward``, ``logged`` (the probability with which the logging policy took the action
that it took, above zero) and ``target`` (the probability with which the judged policy would have taken it). The weight of a
decision is target / logged, cut at ``clip``. Decisions of one ``group``, such as a person, are not independent: intervals
resample groups (a cluster bootstrap); without groups each decision is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.data.sequences import Numbers
from models.evaluation.intervals import Estimate, resampled_means
from models.evaluation.metrics import Values


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
    return _interval(_ratio(terms), _resampled([terms], group)[0])


def estimate_difference(first: Terms, second: Terms, group: Numbers | None = None) -> Estimate:
    """The first ratio less the second, over the same resamples of groups."""
    drawn = _resampled([first, second], group)
    return _interval(_ratio(first) - _ratio(second), drawn[0] - drawn[1])


def _resampled(terms: Sequence[Terms], group: Numbers | None) -> list[Values]:
    """Each ratio in every resample; NaN where one has nothing below."""
    columns = [column for each in terms for column in (each.above, each.below)]
    if group is not None:
        _, number = np.unique(group, return_inverse=True)
        columns = [np.bincount(number, weights=column) for column in columns]
    means = list(resampled_means({str(number): column for number, column in enumerate(columns)}).values())
    with np.errstate(invalid="ignore", divide="ignore"):
        return [above / below for above, below in zip(means[::2], means[1::2], strict=True)]


def _ratio(terms: Terms) -> float:
    return float(terms.above.sum() / terms.below.sum())


def _interval(mean: float, drawn: Values) -> Estimate:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(mean, float(low), float(high))
