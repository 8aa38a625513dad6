"""What a person buys often, and often lately."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from scipy import sparse

from models.algorithms.recommender import State
from models.data.baskets import Purchases, check_purchases, check_range


class BasketModel(Protocol):
    """Fit on the baskets of many, then weigh the items of anybody's next basket."""

    name: str

    def fit(self, purchases: Purchases) -> Self:
        """Learn from purchases."""

    def weigh(self, histories: Purchases) -> sparse.csr_matrix:
        """Weights above zero of some items for each user, shape (users, items), float32; what is popular follows."""

    def state(self) -> State:
        """Fitted arrays by name, enough to restore the model."""

    def from_state(self, state: State) -> Self:
        """Take over fitted arrays."""


class BasketPopularity:
    """The same for everybody: the order of the items' numbers, falling popularity."""

    name = "popularity"

    def fit(self, purchases: Purchases) -> Self:
        """Nothing to learn."""
        check_purchases(purchases)
        return self

    def weigh(self, histories: Purchases) -> sparse.csr_matrix:
        """No weights."""
        return sparse.csr_matrix((check_range(histories).users, histories.items), dtype=np.float32)

    def state(self) -> State:
        """Nothing."""
        return {}

    def from_state(self, state: State) -> Self:
        """Nothing to take over."""
        return self


class PersonalFrequency(BasketPopularity):
    """Baskets of the person that held an item, each counting ``fade`` to the power of the baskets after it.

    With ``fade`` 1 this is the personal top-frequency baseline that most published models fail to beat (Li et al., A next
    basket recommendation reality check, TOIS 2023).
    """

    name = "personal_frequency"

    def __init__(self, fade: float = 1.0) -> None:
        self.fade = fade

    def weigh(self, histories: Purchases) -> sparse.csr_matrix:
        """Faded counts."""
        return check_range(histories).summed(self.fade**histories.back)
