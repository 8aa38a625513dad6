"""What a person buys often, and often lately."""

from __future__ import annotations

from typing import Self

from scipy import sparse

from models.algorithms.recommender import Algorithm, State
from models.data.baskets import Purchases, check_purchases, check_range

BasketModel = Algorithm[Purchases]  # fits the baskets of many, scores the items of each user's next one


class PersonalFrequency:
    """Baskets of the person that held an item, each counting ``fade`` to the power of the baskets after it.

    With ``fade`` 1 this is the personal top-frequency baseline that most published models fail to beat (Li et al., A next
    basket recommendation reality check, TOIS 2023).
    """

    name = "personal_frequency"

    def __init__(self, fade: float = 1.0) -> None:
        self.fade = fade

    def fit(self, purchases: Purchases) -> Self:
        """Nothing to learn: all is in the person's history."""
        check_purchases(purchases)
        return self

    def score(self, histories: Purchases) -> sparse.csr_matrix:
        """Faded counts."""
        return check_range(histories).summed(self.fade**histories.back)

    def state(self) -> State:
        """Nothing."""
        return {}

    def from_state(self, state: State) -> Self:
        """Nothing to take over."""
        return self
