"""The effects of a shop's channels by both fitted models, with intervals of a bootstrap over journeys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from typing import Any

import numpy as np

from models.attribution.journeys import REST, Floats, Journeys, VisitJourney
from models.attribution.markov import order_probabilities, removal_effects
from models.attribution.shapley import shapley_values

LEAST_ORDERS = 20  # journeys that led to one
REPLICATES = 200
LEVEL = 0.95
_SEED = 20160511


class TooFewJourneys(ValueError):
    """The journeys do not say what the channels bring; the message says what is missing."""


def channel_effects(
    shop_id: str, journeys: Iterable[VisitJourney], as_of: date, replicates: int = REPLICATES
) -> list[dict[str, Any]]:
    """Rows of attribution/channel_effects. Raises TooFewJourneys.

    Each model's effects add up to 1. Channels beyond ``MOST_CHANNELS`` are one state of the chain, whose effect they share by
    the number of their journeys.
    """
    counted = list(journeys)
    orders = sum(journey.number for journey in counted if journey.led_to_order)
    if orders < LEAST_ORDERS:
        raise TooFewJourneys(f"{orders} journeys of visits led to an order; {LEAST_ORDERS} are needed")
    all_journeys = Journeys.of(counted)
    random = np.random.default_rng(_SEED)
    drawn = [all_journeys.resampled(random) for _ in range(replicates)]
    rows = []
    for model, effects_of in _models(random).items():
        effects = _shares(effects_of(all_journeys.counts()))
        spread = np.array([_shares(effects_of(counts)) for counts in drawn])
        low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        for place, state in enumerate(all_journeys.channels):
            for channel, part in _channels_of(state, all_journeys).items():
                rows.append(
                    {
                        "shop_id": shop_id,
                        "model": model,
                        "channel": channel,
                        "as_of_date": as_of,
                        "effect": float(effects[place] * part),
                        "effect_low": float(low[place] * part),
                        "effect_high": float(high[place] * part),
                        "journeys": all_journeys.journeys_of[channel],
                        "orders": all_journeys.orders_of[channel],
                    }
                )
    return rows


def _models(random: np.random.Generator) -> dict[str, Callable[[Floats], Floats]]:
    def shapley(counts: Floats) -> Floats:
        return shapley_values(partial(order_probabilities, counts), counts.shape[0] - 1, random)

    return {"markov": removal_effects, "shapley": shapley}


def _shares(effects: Floats) -> Floats:
    """Parts of 1; equal ones where a sample has no order at all."""
    total = float(effects.sum())
    return effects / total if total > 0 else np.full(len(effects), 1 / len(effects))


def _channels_of(state: str, journeys: Journeys) -> dict[str, float]:
    """The channels that a state stands for, each with its part of the state's effect."""
    if state != REST:
        return {state: 1.0}
    total = sum(journeys.journeys_of[channel] for channel in journeys.members)
    return {channel: journeys.journeys_of[channel] / total for channel in journeys.members}
