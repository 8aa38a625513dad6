"""Gamma-Gamma: what a purchase of each customer is worth on average (Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary
Value").

Amounts of a customer are Gamma(p, ν) with ν ~ Gamma(q, v), whatever the customer's frequency.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from models.lifetime.fitting import Fit, Floats, fit

NAMES = ("p", "q", "v")


def fit_gamma_gamma(purchases: Floats, mean_amount: Floats) -> Fit:
    """Parameters p, q and v (in the unit of the amounts) of purchases with a positive mean. Raises NotIdentified."""
    scale = float(mean_amount.mean())
    amount = mean_amount / scale

    def loss(logs: Floats) -> float:
        p, q, v = np.exp(logs)
        shape = p * purchases
        terms = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v) + (shape - 1) * np.log(amount)
        return -float((terms + shape * np.log(purchases) - (shape + q) * np.log(purchases * amount + v)).sum())

    scaled = fit(loss, len(NAMES))
    return Fit(scaled.logs + np.log([1.0, 1.0, scale]), scaled.covariance)


def expected_amount(parameters: Floats, purchases: Floats, mean_amount: Floats) -> Floats:
    """Expected mean amount of a purchase of each customer: the customer's own and the shop's, weighted. NaN where q ≤ 1."""
    p, q, v = parameters
    if q <= 1:
        return np.full(len(purchases), np.nan)
    amount: Floats = p * (v + purchases * mean_amount) / (p * purchases + q - 1)
    return amount
