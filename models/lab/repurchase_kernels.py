"""How likely an item is bought again some time after a purchase: kernels learnt for each item, and tastes beside them.

It does not serve: only ``models.lab.time_aware_weighting`` is made of it.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from models.data.baskets import Purchases
from models.data.sequences import Numbers

Parameters = npt.NDArray[np.float64]
STRENGTH, SHARE, MEAN, SPREAD, DECAY = range(5)  # columns of the kernels' parameters
LEAST = 1e-3  # of spread and decay, in units of time


def first_kernels(items: int, mean_gap: float) -> Parameters:
    """Items × 5 before any learning: strength 1, both shapes in equal parts, the shop's mean gap, spread and decay 1."""
    return np.tile(np.array([1.0, 0.5, mean_gap, 1.0, 1.0]), (items, 1))


def mean_gap(purchases: Purchases) -> float:
    """Mean time between two purchases of one item by one person that follow each other; 1 where nobody bought twice."""
    order, _ = by_pair(purchases)
    key, at = purchases.user[order] * purchases.items + purchases.item[order], purchases.at[order]
    gaps = np.diff(at)[(key[1:] == key[:-1]) & (np.diff(at) > 0)]
    return float(gaps.mean()) if len(gaps) else 1.0


def by_pair(purchases: Purchases) -> tuple[Numbers, Numbers]:
    """An order of the entries by user, item and time, and for each place of it where its user and item begin."""
    order = np.lexsort((purchases.at, purchases.item, purchases.user))
    key = purchases.user[order] * purchases.items + purchases.item[order]
    is_first = np.concatenate([[True], key[1:] != key[:-1]]) if len(key) else np.empty(0, dtype=np.bool_)
    return order, np.maximum.accumulate(np.where(is_first, np.arange(len(key)), 0)) if len(key) else order


def intensities(kernels: Parameters, item: Numbers, elapsed: Parameters) -> Parameters:
    """a ((1 − π) Exp(t; β) + π N(t; μ, σ)) of purchases that lie ``elapsed`` units back, by the parameters of their items."""
    a, share, mean, spread, decay = (kernels[item, column] for column in range(5))
    fading = np.exp(-elapsed / decay) / decay
    due = np.exp(-0.5 * ((elapsed - mean) / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
    return np.asarray(a * ((1 - share) * fading + share * due), dtype=np.float64)


@numba.njit(cache=True, nogil=True)
def learn_epoch(
    user: Any,
    item: Any,
    at: Any,
    start: Any,
    bought: Any,
    bought_starts: Any,
    order: Any,
    negatives: Any,
    kernels: Any,
    kernel_squares: Any,
    people: Any,
    people_squares: Any,
    things: Any,
    things_squares: Any,
    rate: float,
    ridge: float,
) -> float:
    """One pass over the purchases in ``order`` by Adagrad on −log σ(score − score of an item that the person never bought).

    Entries stand by user, item and time, those of one pair from ``start``. ``bought``: rising items of each user, from
    ``bought_starts``. Returns the mean loss.
    """
    items, factors = things.shape
    root = math.sqrt(2 * math.pi)
    slope = np.empty(5)
    total = 0.0
    for place in range(len(order)):
        entry = order[place]
        person, positive = user[entry], item[entry]
        first, last = bought_starts[person], bought_starts[person + 1]
        negative = negatives[place]
        if last - first >= items:
            continue
        nearby = first + np.searchsorted(bought[first:last], negative)
        while nearby < last and bought[nearby] == negative:
            negative += 1
            nearby += 1
            if negative == items:
                negative, nearby = 0, first
        strength, share, mean = kernels[positive, 0], kernels[positive, 1], kernels[positive, 2]
        spread, decay = kernels[positive, 3], kernels[positive, 4]
        slope[:] = 0.0
        excited = 0.0
        for earlier in range(start[entry], entry):
            elapsed = at[entry] - at[earlier]
            if elapsed <= 0:
                continue
            fading = math.exp(-elapsed / decay) / decay
            away = (elapsed - mean) / spread
            due = math.exp(-0.5 * away * away) / (spread * root)
            excited += (1 - share) * fading + share * due
            slope[1] += strength * (due - fading)
            slope[2] += strength * share * due * away / spread
            slope[3] += strength * share * due * (away * away - 1) / spread
            slope[4] += strength * (1 - share) * fading * (elapsed / decay - 1) / decay
        slope[0] = excited if factors else 0.0  # repurchases alone: no item has a strength of its own
        margin = strength * excited
        for factor in range(factors):
            margin += people[person, factor] * (things[positive, factor] - things[negative, factor])
        pull = 1 / (1 + math.exp(min(margin, 30.0)))
        total += math.log1p(math.exp(-margin)) if margin > -30 else -margin
        if excited > 0:
            for column in range(5):
                step = pull * slope[column]
                kernel_squares[positive, column] += step * step
                kernels[positive, column] += rate * step / math.sqrt(kernel_squares[positive, column] + 1e-8)
            kernels[positive, 0] = max(kernels[positive, 0], 0.0)
            kernels[positive, 1] = min(max(kernels[positive, 1], 0.0), 1.0)
            kernels[positive, 3] = max(kernels[positive, 3], 1e-3)
            kernels[positive, 4] = max(kernels[positive, 4], 1e-3)
        for factor in range(factors):
            p, q, r = people[person, factor], things[positive, factor], things[negative, factor]
            for_person, for_positive, for_negative = pull * (q - r) - ridge * p, pull * p - ridge * q, -pull * p - ridge * r
            people_squares[person, factor] += for_person * for_person
            people[person, factor] += rate * for_person / math.sqrt(people_squares[person, factor] + 1e-8)
            things_squares[positive, factor] += for_positive * for_positive
            things[positive, factor] += rate * for_positive / math.sqrt(things_squares[positive, factor] + 1e-8)
            things_squares[negative, factor] += for_negative * for_negative
            things[negative, factor] += rate * for_negative / math.sqrt(things_squares[negative, factor] + 1e-8)
    return total / max(1, len(order))
