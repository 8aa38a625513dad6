"""What may be offered to who has just paid for it: items bought again within the week; and what persons have bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import Items, Scores, State
from models.data.sequences import Mask

FILE, PURCHASES = "repurchase", "purchases"
# Of buying an item again within a week of buying it: about what another item would get in its place. Of simulated shops
# (docs/benchmarks/served.md) four of five items of the food shop reach it, and none of fashion.
LEAST_CHANCE = 0.05


def bought_again(chance: Scores) -> Mask:
    """Items that are offered again to who has just bought them."""
    return np.asarray(chance >= LEAST_CHANCE)


@dataclass(frozen=True)
class BoughtItems:
    """Persons × items: what each person bought."""

    starts: Items
    items: npt.NDArray[np.int32]

    @classmethod
    def of(cls, bought: sparse.csr_matrix) -> Self:
        """From a matrix with an entry for each item that a person bought."""
        return cls(bought.indptr.astype(np.int64), bought.indices.astype(np.int32))

    def of_person(self, person: int) -> Items:
        """Numbers of the items."""
        return self.items[self.starts[person] : self.starts[person + 1]].astype(np.int64)

    def state(self) -> State:
        """Both arrays."""
        return {"starts": self.starts, "items": self.items}

    @classmethod
    def from_state(cls, state: State, persons: int, items: int) -> Self:
        """Purchases of so many persons. Raises ValueError where they are of others."""
        starts, numbers = state["starts"].astype(np.int64), state["items"].astype(np.int32)
        is_whole = len(starts) == persons + 1 and starts[0] == 0 and starts[-1] == len(numbers) and (np.diff(starts) >= 0).all()
        if not is_whole or (len(numbers) and (numbers.min() < 0 or numbers.max() >= items)):
            raise ValueError(f"purchases are not those of {persons} persons among {items} items")
        return cls(starts, numbers)
