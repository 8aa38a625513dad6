"""The persons of whom rankers learn: everybody of a small shop, a sample by hash of a large one, which then costs no more."""

from __future__ import annotations

import numpy as np

from models.data.hash_order import in_hash_order
from models.data.interactions import Interactions

LARGEST_SHARE = 100  # a sampled person has at most one in so many of the acts: beyond, it is a robot that would be the sample


def sample_of(acts: Interactions, most_persons: int, most_acts: int) -> Interactions:
    """The acts of at most so many persons, with at most so many acts; all of them where they are no more.

    Persons are taken in the order of a hash of their id, so that a shop's teachers stay the same from day to day, and a smaller
    sample is part of a larger one.
    """
    if len(acts.person_ids) <= most_persons and len(acts) <= most_acts:
        return acts
    counts = np.bincount(acts.person, minlength=len(acts.person_ids))
    order = in_hash_order(acts.person_ids)
    order = order[(counts[order] > 0) & (counts[order] <= most_acts // LARGEST_SHARE)]
    order = order[np.cumsum(counts[order]) <= most_acts]
    return acts.of_persons(np.sort(order[:most_persons]))
