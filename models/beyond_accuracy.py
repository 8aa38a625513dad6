"""What lists are like apart from being right: how new they are to a person, how evenly they spread over the catalogue."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.metrics import Counts, Values


def novelty(lists: Counts, users_of_item: npt.NDArray[np.floating], users: int) -> Values:
    """Mean surprise of each person's list in bits: −log2 of the share of users who know the item (Zhou et al., PNAS 2010).

    ``lists``: persons × k, −1 marks an empty place and does not count; an item nobody has counts as known to half a user.
    A person with an empty list gets 0.
    """
    surprise = -np.log2(np.clip(np.maximum(users_of_item, 0.5) / max(users, 1), None, 1.0))
    is_listed = lists >= 0
    total = np.where(is_listed, surprise[np.maximum(lists, 0)], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(is_listed.sum(axis=1), 1))


def gini(lists: Counts, items: int) -> float:
    """How unevenly ``items`` are shown: 0 when all equally often, near 1 when few take every place.

    G = Σ_i (2i − n − 1) c_i / (n Σ c) over counts c in rising order (Gini 1912); 0 for lists without an item.
    """
    counts = np.sort(np.bincount(lists[lists >= 0], minlength=items)).astype(np.float64)
    if counts.sum() == 0:
        return 0.0
    place = np.arange(1, items + 1)
    return float(((2 * place - items - 1) * counts).sum() / (items * counts.sum()))
