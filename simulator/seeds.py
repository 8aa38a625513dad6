"""Random streams by name: the same seed, shop and name give the same numbers whoever asks and in whatever order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_CHUNK = 4096


def stream(seed: int, shop_id: str, *names: str | int) -> np.random.Generator:
    """The random stream of one purpose, such as ``stream(7, "lanting", "day", 12)``."""
    text = "\x1f".join([shop_id, *map(str, names)])
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint32).tolist()
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))


class Dice:
    """Single draws from a random stream, fetched in chunks because one draw at a time is slow in numpy."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._buffer: list[float] = []

    def uniform(self) -> float:
        """A number in [0, 1)."""
        if not self._buffer:
            self._buffer = self.rng.random(_CHUNK).tolist()
        return self._buffer.pop()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.uniform()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def exponential(self, mean: float) -> float:
        """A waiting time with this mean."""
        return -mean * math.log(1.0 - self.uniform())

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely."""
        return options[int(self.uniform() * len(options))]
