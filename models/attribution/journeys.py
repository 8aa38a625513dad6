"""Journeys of visits as counts of steps between channels, which is all that a Markov chain of the first order needs.

A journey begins, goes from channel to channel, and ends with an order or without one. Equal journeys are kept once, with their
number, so that a shop of a million journeys is as quick as one of a few thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

Floats = npt.NDArray[np.float64]
MOST_CHANNELS = 30
REST = "\0rest"  # no channel of an event has this name


class VisitJourney(NamedTuple):
    """Channels of the visits in order, whether an order came of them, and how many such journeys there were."""

    channels: tuple[str, ...]
    led_to_order: bool
    number: int = 1


@dataclass(frozen=True)
class Journeys:
    """Different journeys of one shop.

    ``steps`` has a row for each journey with its steps, flat: from the start or a channel (1 + n) to a channel, an order or
    nothing (n + 2). ``numbers`` says how often each occurred, ``members`` which channels the last state stands for where a shop
    has more than ``MOST_CHANNELS``.
    """

    channels: tuple[str, ...]
    steps: csr_matrix
    numbers: npt.NDArray[np.int64]
    journeys_of: Counter[str]
    orders_of: Counter[str]
    members: tuple[str, ...]

    @classmethod
    def of(cls, journeys: Iterable[VisitJourney], most_channels: int = MOST_CHANNELS) -> Journeys:
        """Count the steps of journeys, none of which is empty."""
        counted = list(journeys)
        journeys_of, orders_of = Counter[str](), Counter[str]()
        for journey in counted:
            for channel in set(journey.channels):
                journeys_of[channel] += journey.number
                orders_of[channel] += journey.number * journey.led_to_order
        by_size = sorted(journeys_of, key=lambda channel: (-journeys_of[channel], channel))
        members = tuple(by_size[most_channels - 1 :]) if len(by_size) > most_channels else ()
        channels = (*sorted(set(by_size) - set(members)), *([REST] if members else []))
        place = {channel: number for number, channel in enumerate(channels)} | dict.fromkeys(members, len(channels) - 1)
        steps = [
            _steps([place[channel] for channel in journey.channels], journey.led_to_order, len(channels)) for journey in counted
        ]
        rows = np.repeat(np.arange(len(steps)), [len(of_journey) for of_journey in steps])
        columns = np.concatenate(steps) if steps else np.zeros(0, dtype=np.int64)
        shape = (len(steps), (len(channels) + 1) * (len(channels) + 2))
        matrix = csr_matrix((np.ones(len(columns)), (rows, columns)), shape=shape)
        numbers = np.array([journey.number for journey in counted], dtype=np.int64)
        return cls(channels, matrix, numbers, journeys_of, orders_of, members)

    def counts(self, numbers: npt.NDArray[np.int64] | None = None) -> Floats:
        """Steps from the start and each channel (rows) to each channel, an order and nothing; as often as ``numbers`` say."""
        chosen = self.numbers if numbers is None else numbers
        size = len(self.channels)
        return np.asarray(chosen @ self.steps, dtype=np.float64).reshape(size + 1, size + 2)

    def resampled(self, random: np.random.Generator) -> Floats:
        """``counts`` of as many journeys drawn from these with replacement."""
        total = int(self.numbers.sum())
        return self.counts(random.multinomial(total, self.numbers / total))


def _steps(places: Sequence[int], led_to_order: bool, size: int) -> npt.NDArray[np.int64]:
    """Flat places in a matrix of 1 + size rows (the start first) and size + 2 columns (an order, then nothing, last)."""
    sources = np.array([0, *(place + 1 for place in places)])
    targets = np.array([*places, size if led_to_order else size + 1])
    flat: npt.NDArray[np.int64] = sources * (size + 2) + targets
    return flat
