"""New items with few impressions: the posterior of their click rates, and the persons whose taste their text fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.algorithms.exploration import Belief
from models.algorithms.position_bias import MOST_PLACES
from models.algorithms.recommender import State
from models.candidates.person_lists import PersonLists
from models.data.sequences import Numbers

EXPLORED_PLACE = 4  # from 0: the place of a list that explores, which beliefs are about


class BadNewcomers(ValueError):
    """The arrays of an artefact are not newcomers; the message names the fault."""


@dataclass(frozen=True)
class Newcomers:
    """New items by number, rising, the belief on the click rate of each, and for each person those nearest to their taste.

    The belief has in it what became known until ``known_to_ms`` (epoch ms), with each place ``looked_at`` so often; a release
    from before these were kept has None, and its belief stays as it is.
    """

    items: Numbers
    belief: Belief
    nearest: PersonLists
    looked_at: np.ndarray | None = None
    known_to_ms: int = 0

    def states(self) -> dict[str, State]:
        """Arrays by file name."""
        state: State = {"items": self.items, "a": self.belief.a, "b": self.belief.b}
        if self.looked_at is not None:
            state |= {"looked_at": self.looked_at, "known_to_ms": np.array([self.known_to_ms])}
        return {"newcomers": state, "newcomers_nearest": self.nearest.state()}

    @classmethod
    def from_states(cls, states: dict[str, State], persons: int, items: int) -> Newcomers:
        """Newcomers among so many items. Raises BadNewcomers, BadLists and ValueError for a belief that is none."""
        state = states["newcomers"]
        if set(state) - _LEARNING != {"items", "a", "b"} or len(state["items"]) != len(state["a"]):
            raise BadNewcomers(f"newcomers have items, a and b of one length, found {sorted(state)}")
        looked_at, known_to_ms = _learning(state)
        numbers = state["items"].astype(np.int64)
        if len(numbers) == 0 or numbers.min() < 0 or numbers.max() >= items or (np.diff(numbers) <= 0).any():
            raise BadNewcomers(f"newcomers name an item that is not among the {items}, or one twice")
        belief = Belief(state["a"].astype(np.float64), state["b"].astype(np.float64))
        nearest = PersonLists.from_state(states["newcomers_nearest"], persons, items)
        return cls(numbers, belief, nearest, looked_at, known_to_ms)


def _learning(state: State) -> tuple[np.ndarray | None, int]:
    if not _LEARNING & set(state):
        return None, 0
    if not set(state) >= _LEARNING:
        raise BadNewcomers(f"newcomers have looked_at with known_to_ms or neither, found {sorted(state)}")
    looked_at, known_to_ms = state["looked_at"].astype(np.float64), state["known_to_ms"]
    if looked_at.shape != (MOST_PLACES,) or not (np.isfinite(looked_at) & (looked_at > 0)).all() or known_to_ms.shape != (1,):
        raise BadNewcomers(f"newcomers need {MOST_PLACES} places, each looked at more than never, and one known_to_ms")
    return looked_at, int(known_to_ms[0])


_LEARNING = {"looked_at", "known_to_ms"}
FILES = ("newcomers", "newcomers_nearest")
