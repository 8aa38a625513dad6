"""What items usually cost: below that, by the price of the moment, they are on sale."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Self
from zlib import crc32

import numpy as np

from models.algorithms.recommender import Scores, State
from models.data.sequences import Numbers

FILE = "usual_prices"


@dataclass(frozen=True)
class UsualPrices:
    """``price_minor`` (items,) in minor units of the currency whose CRC-32 is ``currency`` (items,); 0 for unknown."""

    price_minor: Scores
    currency: Numbers

    def cut(self, number: int, price_minor: int, currency: str) -> float:
        """The share of its usual price that an item is cheaper now; 0 where that is not known, and for what is not cheaper."""
        usual = float(self.price_minor[number])
        if usual <= 0 or self.currency[number] != currency_key(currency):
            return 0.0
        return max(0.0, 1 - price_minor / usual)

    def digest(self) -> str:
        """SHA-256 of all of them."""
        return sha256(self.price_minor.tobytes() + self.currency.tobytes()).hexdigest()

    def state(self) -> State:
        """Both arrays."""
        return {"price_minor": self.price_minor, "currency": self.currency}

    @classmethod
    def from_state(cls, state: State, items: int) -> Self:
        """Prices of so many items. Raises ValueError where they are of others."""
        prices, currency = state["price_minor"].astype(np.float32, copy=False), state["currency"].astype(np.int64, copy=False)
        if prices.shape != (items,) or currency.shape != (items,) or (prices < 0).any():
            raise ValueError(f"usual prices are not those of {items} items")
        return cls(prices, currency)


def currency_key(currency: str) -> int:
    """A currency as a number."""
    return crc32(currency.encode())
