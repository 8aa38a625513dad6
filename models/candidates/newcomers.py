"""New items with few impressions: the posterior of their click rates, and the persons whose taste their text fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.algorithms.exploration import Belief
from models.algorithms.recommender import State
from models.candidates.person_lists import PersonLists
from models.data.sequences import Numbers

EXPLORED_PLACE = 4  # from 0: the place of a list that explores, which beliefs are about


class BadNewcomers(ValueError):
    """The arrays of an artefact are not newcomers; the message names the fault."""


@dataclass(frozen=True)
class Newcomers:
    """New items by number, rising, the belief on the click rate of each, and for each person those nearest to their taste."""

    items: Numbers
    belief: Belief
    nearest: PersonLists

    def states(self) -> dict[str, State]:
        """Arrays by file name."""
        state: State = {"items": self.items, "a": self.belief.a, "b": self.belief.b}
        return {"newcomers": state, "newcomers_nearest": self.nearest.state()}

    @classmethod
    def from_states(cls, states: dict[str, State], persons: int, items: int) -> Newcomers:
        """Newcomers among so many items. Raises BadNewcomers, BadLists and ValueError for a belief that is none."""
        state = states["newcomers"]
        if set(state) != {"items", "a", "b"} or len(state["items"]) != len(state["a"]):
            raise BadNewcomers(f"newcomers have items, a and b of one length, found {sorted(state)}")
        numbers = state["items"].astype(np.int64)
        if len(numbers) == 0 or numbers.min() < 0 or numbers.max() >= items or (np.diff(numbers) <= 0).any():
            raise BadNewcomers(f"newcomers name an item that is not among the {items}, or one twice")
        belief = Belief(state["a"].astype(np.float64), state["b"].astype(np.float64))
        return cls(numbers, belief, PersonLists.from_state(states["newcomers_nearest"], persons, items))


FILES = ("newcomers", "newcomers_nearest")
