"""Ranking metrics of one list per person, with binary relevance and the full catalogue ranked (nothing is sampled).

All take ``hits``: a boolean array (persons × k) that tells whether the item at each position is relevant, and ``relevant``: the
number of relevant items of each person (≥ 1). They return one number a person; the metric is their mean.

Formulas: Järvelin & Kekäläinen (TOIS 2002) for DCG with gain 1 and discount log2(position + 1); the ideal list has
min(relevant, k) hits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

Hits = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Kept = TypeVar("Kept")


def hits_of(lists: Counts, relevant: sparse.csr_matrix) -> Hits:
    """Whether the item at each place is relevant to the person, shape of ``lists``."""
    items = relevant.shape[1]
    rows = np.repeat(np.arange(relevant.shape[0]), np.diff(relevant.indptr))
    known = np.sort(rows * items + relevant.indices)
    asked = np.arange(len(lists))[:, None] * items + lists
    if len(known) == 0:
        return np.zeros(lists.shape, dtype=np.bool_)
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.asarray((known[place] == asked) & (lists >= 0))


def recall(hits: Hits, relevant: Counts) -> Values:
    """Share of the relevant items that are in the list."""
    return np.asarray(hits.sum(axis=1) / relevant)


def hit_rate(hits: Hits, relevant: Counts) -> Values:
    """1 when the list holds a relevant item, else 0."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def ndcg(hits: Hits, relevant: Counts) -> Values:
    """Discounted cumulative gain over that of an ideal list."""
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, hits.shape[1])]
    return np.asarray((hits * discounts).sum(axis=1) / ideal)


def reciprocal_rank(hits: Hits, relevant: Counts) -> Values:
    """1 / position of the first relevant item, 0 without one."""
    first = hits.argmax(axis=1)
    return np.where(hits.any(axis=1), 1 / (first + 1), 0.0)


def average_precision(hits: Hits, relevant: Counts) -> Values:
    """Mean of the precision at each relevant item's position, over min(relevant, k)."""
    positions = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / positions
    return np.asarray((precision * hits).sum(axis=1) / np.minimum(relevant, hits.shape[1]))


def gains_of(lists: Counts, amounts: sparse.csr_matrix) -> Values:
    """What the item at each place brought in, 0 for a miss; ``amounts``: persons × items. Shape of ``lists``."""
    rows = np.repeat(np.arange(len(lists)), lists.shape[1])
    gains = np.asarray(amounts[rows, np.maximum(lists, 0).ravel()]).reshape(lists.shape)
    return np.where(lists >= 0, gains, 0.0).astype(np.float64)


def revenue_recall(gains: Values, total: Values) -> Values:
    """Share of what a person spent (``total``, above 0) that went to items of the list."""
    return np.asarray(gains.sum(axis=1) / total)


def revenue_ndcg(gains: Values, best: Values) -> Values:
    """Discounted gain in money over that of the dearest order. ``best``: a person's amounts, falling, persons × k or more."""
    discounts = 1 / np.log2(np.arange(2, gains.shape[1] + 2))
    ideal = (best[:, : gains.shape[1]] * discounts[: best.shape[1]]).sum(axis=1)
    return np.asarray((gains * discounts).sum(axis=1) / ideal)


METRICS = {"recall": recall, "ndcg": ndcg, "hit_rate": hit_rate, "mrr": reciprocal_rank, "map": average_precision}
KS = (10, 20)  # places at which a shop's models are judged
MAIN_METRIC = "ndcg@10"  # by which they are chosen


def measure(hits: Hits, relevant: Counts, ks: Sequence[int], names: Iterable[str] = METRICS) -> dict[str, Values]:
    """Each metric at each k, ``<name>@<k>``, one value a person."""
    return {f"{name}@{k}": METRICS[name](hits[:, :k], relevant) for k in ks for name in names}


def with_todays_names(by_metric: Mapping[str, Kept]) -> dict[str, Kept]:
    """What reports and files of before call ``hr@k`` under the name of today, ``hit_rate@k``."""
    return {f"hit_rate@{name[3:]}" if name.startswith("hr@") else name: value for name, value in by_metric.items()}


def coverage(lists: npt.NDArray[np.int64], items: int) -> float:
    """Share of ``items`` that are in anybody's list; −1 marks an empty place."""
    return float(len(np.unique(lists[lists >= 0])) / items)


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
