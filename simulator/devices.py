"""On which device a shopper is met: mostly the first one, at times a second one, now and then somebody else's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from simulator.seeds import stream

_SECOND_OWNED, _SECOND_USED = 0.2, 0.35  # share of shoppers with a second device, and of their visits on it
_BORROWING, _BORROWED = 0.05, 0.2  # share of shoppers who use another shopper's device, and of their visits on it


@dataclass(frozen=True)
class Devices:
    """Anonymous ids of one shop. ``second`` has one a shopper, ``lender`` is whose first device a shopper borrows, or −1."""

    first: list[str]
    second: list[str]
    has_second: np.ndarray
    lender: np.ndarray
    seed: int

    def used(self, shopper: int, session_id: str) -> str:
        """The anonymous id of a visit. It follows from the visit's name, so that it takes no number from the day's stream."""
        draw = _draw(f"{self.seed}/{shopper}/{session_id}")
        if self.has_second[shopper] and draw < _SECOND_USED:
            return self.second[shopper]
        if self.lender[shopper] >= 0 and draw > 1 - _BORROWED:
            return self.first[int(self.lender[shopper])]
        return self.first[shopper]


def make_devices(shop_id: str, seed: int, count: int) -> Devices:
    """Devices of ``count`` shoppers; asking for more of them leaves the first ones."""

    def share(trait: str) -> np.ndarray:
        draws: np.ndarray = stream(seed, shop_id, "devices", trait).random(count)
        return draws

    lender = (share("lender") * np.arange(count)).astype(np.int64)  # somebody before them, so that more shoppers change nothing
    return Devices(
        first=[anonymous_id(shop_id, seed, number) for number in range(count)],
        second=[anonymous_id(shop_id, seed, f"second/{number}") for number in range(count)],
        has_second=share("second") < _SECOND_OWNED,
        lender=np.where(share("borrowing") < _BORROWING, lender, -1),
        seed=seed,
    )


def anonymous_id(shop_id: str, seed: int, name: int | str) -> str:
    """The anonymous id of a device."""
    return "a" + hashlib.blake2b(f"{shop_id}/{seed}/{name}".encode(), digest_size=6).hexdigest()


def _draw(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56
