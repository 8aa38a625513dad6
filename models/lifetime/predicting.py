"""What each customer will really buy, as far as that can be known: intervals of the numbers to come, not of their expectation.

A draw takes the parameters as uncertain as the fit leaves them, then the customer's own rate, dropout and amounts given what
the customer did (conjugate in both models), then the purchases themselves. A 95 % interval is the shortest that holds 95 % of
the draws. Where a held-out window of the shop shows that the models' intervals are too narrow for it, they are widened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.lifetime import bg_nbd
from models.lifetime.fitting import Fit, Floats

LEVEL = 0.95
_DRAWS, _AT_ONCE, _SEED = 400, 2_000, 0  # the same data give the same intervals
_MOST = 1e6  # expected purchases of a horizon, beyond which a rate is no customer's
_LEAST = 1e-12


class Predicted(NamedTuple):
    """Arrays of one number a customer: ends of the interval of a number to come, and its standard deviation."""

    low: Floats
    high: Floats
    deviation: Floats

    def widened(self, by: float) -> Predicted:
        """Both ends moved outwards by so many standard deviations; nobody buys less than nothing."""
        low = np.where(self.low > 0, np.maximum(self.low - by * self.deviation, 0.0), self.low)
        return Predicted(low, self.high + by * self.deviation, self.deviation)


@dataclass(frozen=True)
class Future:
    """Draws of what customers will do within ``horizon``; ``amounts`` is None where the shop's are not known."""

    times: bg_nbd.PurchaseTimes
    mean_amount: Floats
    of_times: Fit
    of_amounts: Fit | None
    horizon: float

    def intervals(self) -> tuple[Predicted, Predicted | None]:
        """Of the purchases of each customer, and of their value."""
        purchases, values = [], []
        for drawn, value in self._draws():
            purchases.append(_interval(drawn))
            values += [] if value is None else [_interval(value)]
        return _joined(purchases), _joined(values) if values else None

    def group_means(self, group: Floats) -> tuple[Floats, Floats]:
        """Ends of the intervals of the mean purchases of each group, in the groups' order; members share the parameters."""
        groups, members = np.unique(group, return_inverse=True)
        sums, start = np.zeros((_DRAWS, len(groups))), 0
        for drawn, _ in self._draws():
            of_group = members[start : start + drawn.shape[1]]
            sums += drawn @ (of_group[:, None] == np.arange(len(groups)))
            start += drawn.shape[1]
        means = _interval(sums / np.bincount(members))
        return means.low, means.high

    def _draws(self) -> Iterator[tuple[Floats, Floats | None]]:
        """Arrays of a row a draw and a column a customer, for some customers after the other."""
        random = np.random.default_rng(_SEED)
        of_times = self.of_times.draws(_DRAWS, random).T[:, :, None]
        of_amounts = None if self.of_amounts is None else self.of_amounts.draws(_DRAWS, random).T[:, :, None]
        for start in range(0, len(self.times), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            times = bg_nbd.PurchaseTimes(self.times.frequency[some], self.times.recency[some], self.times.age[some])
            purchases = _purchases(of_times, times, self.horizon, random)
            amounts = self.mean_amount[some]
            yield purchases, None if of_amounts is None else _values(of_amounts, times, amounts, purchases, random)


def widening(predicted: Predicted, actual: Floats) -> float:
    """By how many standard deviations intervals have to be widened to hold what happened to customers like these.

    Split conformal prediction: the rank ⌈(n + 1) · level⌉ of the customers' distances outside of their intervals (Romano,
    Patterson and Candès 2019, "Conformalized Quantile Regression", with distances in standard deviations as in Lei et al.
    2018, "Distribution-Free Predictive Inference for Regression"). Never below 0, and 0 where too few customers
    are known. Unknown numbers, NaN, are left out. A miss of a customer whose draws are all alike is mended by no width: where
    there are too many of these, it is the largest of the others.
    """
    known = np.isfinite(actual) & np.isfinite(predicted.deviation)
    beyond, deviation = np.maximum(predicted.low - actual, actual - predicted.high)[known], predicted.deviation[known]
    of_none = np.where(beyond > 0, np.inf, 0.0)
    outside = np.sort(np.where(deviation > _LEAST, beyond / np.maximum(deviation, _LEAST), of_none))
    rank = int(np.ceil((len(outside) + 1) * LEVEL))
    if rank > len(outside):
        return 0.0
    return float(outside[:rank][np.isfinite(outside[:rank])].max(initial=0.0))


def _purchases(parameters: Floats, times: bg_nbd.PurchaseTimes, horizon: float, random: np.random.Generator) -> Floats:
    """Given that a customer still buys, the rate is Gamma(r + x, α + T) and the probability to leave Beta(a, b + x)."""
    r, alpha, a, b = parameters
    rate = random.gamma(r + times.frequency, 1.0) / (alpha + times.age)
    leaving = np.clip(random.beta(a + np.zeros_like(times.age), b + times.frequency), _LEAST, 1.0)
    until_left = random.geometric(leaving)
    bought = random.poisson(np.minimum(rate * horizon, _MOST))
    is_active = random.random(bought.shape) < bg_nbd.probability_alive(parameters, times)
    drawn: Floats = np.where(is_active, np.minimum(bought, until_left), 0).astype(np.float64)
    return drawn


def _values(
    parameters: Floats, times: bg_nbd.PurchaseTimes, amounts: Floats, purchases: Floats, random: np.random.Generator
) -> Floats:
    """Sums of Gamma(p, ν) amounts, ν ~ Gamma(p x + q, v + x m̄) given the mean m̄ of x amounts."""
    p, q, v = parameters
    scale = random.gamma(p * times.frequency + q, 1.0) / (v + times.frequency * amounts)
    sums: Floats = random.gamma(np.maximum(p * purchases, _LEAST)) / np.maximum(scale, 1e-300)
    return np.where(purchases > 0, sums, 0.0) + 0 * amounts  # an unknown mean stays unknown


def _interval(drawn: Floats) -> Predicted:
    """The shortest interval of each column that holds ``LEVEL`` of its draws."""
    ordered = np.sort(drawn, axis=0)
    held = int(np.ceil(LEVEL * len(ordered)))
    first = np.argmin(ordered[held - 1 :] - ordered[: len(ordered) - held + 1], axis=0)
    columns = np.arange(ordered.shape[1])
    return Predicted(ordered[first, columns], ordered[first + held - 1, columns], drawn.std(axis=0))


def _joined(parts: list[Predicted]) -> Predicted:
    return Predicted(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
