"""The best items of each user with their scores: what is kept of a trial, so that thousands of users fit beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import Items, Scores, top_k
from models.protocols.ranking import Scorer, batches

LENGTH = 200  # items kept of each user


@dataclass(frozen=True)
class TopLists:
    """Of each user the best items that the user does not have, best first, then −1; shape (users, ≤ LENGTH)."""

    items: npt.NDArray[np.int32]
    lead: Scores  # score above the last item's of the list, in standard deviations of all scores of the user


def top_lists(score: Scorer, histories: sparse.csr_matrix) -> TopLists:
    """The lists of a model's scores, made a few users at a time."""
    length = min(LENGTH, histories.shape[1])
    items = np.full((histories.shape[0], length), -1, dtype=np.int32)
    lead = np.zeros(items.shape, dtype=np.float32)
    for part in batches(*histories.shape):
        scores = score(histories[part])
        top = top_k(scores, length, histories[part])
        listed = np.where(top >= 0, np.take_along_axis(scores, np.maximum(top, 0), axis=1), np.inf)
        lowest = listed.min(axis=1, initial=np.inf, keepdims=True)
        spread = scores.std(axis=1, keepdims=True)
        above = np.where(top >= 0, listed - np.where(np.isfinite(lowest), lowest, 0), 0)
        items[part] = top
        lead[part] = np.divide(above, spread, out=np.zeros(above.shape, dtype=np.float64), where=(spread > 0) & (top >= 0))
    return TopLists(items, lead)


def joined_lists(parts: list[TopLists]) -> TopLists:
    """The lists of several slices below each other."""
    return TopLists(np.concatenate([part.items for part in parts]), np.concatenate([part.lead for part in parts]))


def mixed_items(parts: Mapping[str, TopLists], weights: Mapping[str, float], catalogue: int, k: int) -> Items:
    """The first ``k`` items by the weighted sum of leads; an item that a part does not list counts there as its last one does.

    What ``models.lab.mixture`` does with all scores, but for items beyond every list. Shape (users, k), −1 where there are
    fewer.
    """
    names = sorted(weights)
    users = len(parts[names[0]].items)
    result = np.full((users, k), -1, dtype=np.int64)
    for part in batches(users, catalogue):
        rows = np.arange(part.stop - part.start)[:, None]
        total = np.full((len(rows), catalogue + 1), -np.inf, dtype=np.float32)  # the last column takes the places of −1
        for name in names:
            total[rows, parts[name].items[part]] = 0
        for name in names:
            # Fancy indices of a row are distinct but for −1, whose lead is 0.
            total[rows, parts[name].items[part]] += np.float32(weights[name]) * parts[name].lead[part]
        top = top_k(total[:, :catalogue], k)
        result[part, : top.shape[1]] = top
    return result
