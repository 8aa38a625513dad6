"""Shapley's value of each player of a game: what it adds to those who came before it, on average over all orders of coming.

    φ_j = Σ_{S ⊆ N \\ j}  |S|! (n − |S| − 1)! / n!  ·  (v(S ∪ j) − v(S))      (Zhao, Mahboobi and Bagheri 2018, "Shapley Value
    Methods for Attribution Modeling in Online Advertising")

The worth v(S) of some channels is the probability of an order when only these are there, as the Markov chain of all journeys
has it (Singal et al. 2019, "Shapley Meets Uniform"): journeys that came to nothing count, and what channels do together is
shared. Up to 12 channels all coalitions are counted; beyond, orders of coming are drawn (Castro, Gómez and Tejada 2009).
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import numpy as np

from models.attribution.journeys import Floats
from models.attribution.markov import Masks

MOST_EXACT = 12
DRAWS = 200
Worth = Callable[[Masks], Floats]  # of each row of masks


def shapley_values(worth: Worth, players: int, random: np.random.Generator, draws: int = DRAWS) -> Floats:
    """The value of each player, exact up to ``MOST_EXACT``; they add up to v(N) − v(∅) either way."""
    return exact(worth, players) if players <= MOST_EXACT else sampled(worth, players, random, draws)


def exact(worth: Worth, players: int) -> Floats:
    """The formula over all 2ⁿ coalitions."""
    numbers = np.arange(2**players)
    masks = (numbers[:, None] >> np.arange(players) & 1).astype(bool)
    of_coalition, sizes = worth(masks), masks.sum(axis=1)
    weights = np.array([factorial(k) * factorial(players - k - 1) / factorial(players) for k in range(players)])
    values = np.empty(players)
    for player in range(players):
        without = numbers[~masks[:, player]]
        values[player] = (weights[sizes[without]] * (of_coalition[without | 1 << player] - of_coalition[without])).sum()
    return values


def sampled(worth: Worth, players: int, random: np.random.Generator, draws: int = DRAWS) -> Floats:
    """The mean of what players add in ``draws`` random orders of coming, each taken forwards and backwards."""
    total = np.zeros(players)
    for _ in range(draws):
        coming = random.permutation(players)
        for order in (coming, coming[::-1]):
            masks = np.zeros((players + 1, players), dtype=bool)
            for place, player in enumerate(order, 1):
                masks[place:, player] = True
            total[order] += np.diff(worth(masks))
    return total / (2 * draws)
