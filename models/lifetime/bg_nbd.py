"""BG/NBD: how often customers buy, and whether they still do (Fader, Hardie and Lee 2005, "Counting Your Customers" the Easy
Way).

While active, a customer buys at a rate λ ~ Gamma(r, α); after each purchase the customer leaves with probability p ~
Beta(a, b). Data of a customer since the first purchase, in one unit of time: ``frequency`` x repeat purchases, the last at
``recency`` t_x, in ``age`` T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln, hyp2f1

from models.lifetime.fitting import Fit, Floats, fit

NAMES = ("r", "alpha", "a", "b")


@dataclass(frozen=True)
class PurchaseTimes:
    """Arrays of one number a customer."""

    frequency: Floats
    recency: Floats
    age: Floats

    def __len__(self) -> int:
        return len(self.frequency)


def fit_bg_nbd(purchases: PurchaseTimes) -> Fit:
    """Parameters r, alpha (in the unit of ``age``), a and b. Raises NotIdentified."""
    rows = np.stack([purchases.frequency, purchases.recency, purchases.age])
    unique, weights = np.unique(rows, axis=1, return_counts=True)
    scale = float(purchases.age.mean()) or 1.0
    frequency, recency, age = unique[0], unique[1] / scale, unique[2] / scale

    def loss(logs: Floats) -> float:
        return -float((weights * _log_likelihood(np.exp(logs), frequency, recency, age)).sum())

    scaled = fit(loss, len(NAMES))
    return Fit(scaled.logs + np.log([1.0, scale, 1.0, 1.0]), scaled.covariance)


def _log_likelihood(parameters: Floats, frequency: Floats, recency: Floats, age: Floats) -> Floats:
    r, alpha, a, b = parameters
    head = gammaln(r + frequency) - gammaln(r) + r * np.log(alpha)
    stays = betaln(a, b + frequency) - betaln(a, b) - (r + frequency) * np.log(alpha + age)
    again = np.maximum(frequency, 1.0)
    leaves = betaln(a + 1, b + again - 1) - betaln(a, b) - (r + frequency) * np.log(alpha + recency)
    total: Floats = head + np.where(frequency > 0, np.logaddexp(stays, leaves), stays)
    return total


def _odds_of_leaving(parameters: Floats, purchases: PurchaseTimes) -> Floats:
    r, alpha, a, b = parameters
    x = purchases.frequency
    again = np.maximum(x, 1.0)
    logs = np.log(a / (b + again - 1)) + (r + x) * np.log((alpha + purchases.age) / (alpha + purchases.recency))
    return np.where(x > 0, np.exp(logs), 0.0)


def probability_alive(parameters: Floats, purchases: PurchaseTimes) -> Floats:
    """Probability that each customer still buys. One who never came back has had no occasion to leave: 1."""
    probability: Floats = 1 / (1 + _odds_of_leaving(parameters, purchases))
    return probability


def expected_purchases(parameters: Floats, purchases: PurchaseTimes, horizon: float) -> Floats:
    """Expected purchases of each customer within ``horizon`` from now (equation 10 of the paper)."""
    r, alpha, a, b = parameters
    x = purchases.frequency
    share = horizon / (alpha + purchases.age + horizon)
    series = hyp2f1(r + x, b + x, a + b + x - 1, share)
    unbought = np.exp((r + x) * np.log((alpha + purchases.age) / (alpha + purchases.age + horizon)))
    expected: Floats = (a + b + x - 1) / (a - 1) * (1 - unbought * series) / (1 + _odds_of_leaving(parameters, purchases))
    return expected
