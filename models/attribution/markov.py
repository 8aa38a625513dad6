"""Markov removal effect: the orders that would be lost without a channel (Anderl, Becker, von Wangenheim and Schumann 2016,
"Mapping the Customer Journey").

Journeys are a chain of the first order. Without a channel, who would have come to it comes to nothing. With p(S) the
probability that a journey ends with an order when the channels S are there, the removal effect of c is 1 − p(N \\ c) / p(N).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.attribution.journeys import Floats

Masks = npt.NDArray[np.bool_]


def order_probabilities(counts: Floats, masks: Masks) -> Floats:
    """p(S) for each row of ``masks`` (which channels are there): s (I − Q)⁻¹ c over those channels.

    ``counts`` are steps from the start and each channel to each channel, an order and nothing.
    """
    size = counts.shape[0] - 1
    totals = counts.sum(axis=1, keepdims=True)
    probabilities = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    start, between, ends = probabilities[0, :size], probabilities[1:, :size], probabilities[1:, size]
    present = masks.astype(np.float64)
    chains = np.eye(size) - present[:, :, None] * between * present[:, None, :]
    reached = np.linalg.solve(chains, (present * ends)[:, :, None])[:, :, 0]
    answer: Floats = (present * start * reached).sum(axis=1)
    return answer


def removal_effects(counts: Floats) -> Floats:
    """The removal effect of each channel; zeros where no journey ends with an order."""
    size = counts.shape[0] - 1
    masks = np.vstack([np.ones((1, size), dtype=bool), ~np.eye(size, dtype=bool)])
    whole, *without = order_probabilities(counts, masks)
    return np.zeros(size) if whole == 0 else 1 - np.array(without) / whole
