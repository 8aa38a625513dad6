"""Algorithms on sessions: what may come next after any prefix, oldest item first."""

from __future__ import annotations

from models.algorithms.recommender import Algorithm
from models.data.sequences import Sequences

SessionModel = Algorithm[Sequences]  # fits whole sessions, scores the items that may follow prefixes


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
