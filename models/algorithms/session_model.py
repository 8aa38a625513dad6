"""The protocol of all session models, and how their weights become lists."""

from __future__ import annotations

from typing import Protocol, Self

from scipy import sparse

from models.algorithms.recommender import State
from models.data.sequences import Sequences


class SessionModel(Protocol):
    """Fit on whole sessions, oldest first, then weigh the items that may come next after any prefix.

    Items are numbered by falling popularity, so that what a model says nothing about follows in that order.
    """

    name: str

    def fit(self, sessions: Sequences) -> Self:
        """Learn from sessions."""

    def weigh(self, prefixes: Sequences) -> sparse.csr_matrix:
        """Weights above zero of some items for each prefix, shape (prefixes, items), float32; higher is likelier."""

    def state(self) -> State:
        """Fitted arrays by name, enough to restore the model."""

    def from_state(self, state: State) -> Self:
        """Take over fitted arrays."""


def check_sessions(sessions: Sequences) -> Sequences:
    """The sessions. Raises ValueError when there is nothing to learn from or an item's number is out of range."""
    if len(sessions.flat) == 0 or sessions.items == 0:
        raise ValueError("sessions hold no items")
    check_item_range(sessions)
    return sessions


def check_item_range(sequences: Sequences) -> Sequences:
    """The sequences. Raises ValueError when an item's number is out of range."""
    if len(sequences.flat) and (sequences.flat.min() < 0 or sequences.flat.max() >= sequences.items):
        raise ValueError(f"items must be numbered from 0 to {sequences.items - 1}")
    return sequences
