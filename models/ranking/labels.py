"""What came of a situation: acts after a gap, or clicks among what was shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from jishi.preference import WEIGHTS
from models.algorithms.recommender import Scores
from models.candidates.pairs import Candidates
from models.data.interactions import Interactions
from models.data.sequences import Numbers
from models.data.split import Instants, SplitWindow

LEAST_CLICKS = 1_000  # below this many clicked lists, purchases teach more


@dataclass(frozen=True)
class Impressions:
    """One entry an item shown: person, item, when, whether it was clicked."""

    person: Numbers
    item: Numbers
    at: Instants
    is_clicked: npt.NDArray[np.bool_]


def purchases_within(acts: Interactions, window: SplitWindow) -> sparse.csr_matrix:
    """Persons × items, 1 for what was paid in the test interval of the window."""
    paid = acts.where(window.is_test(acts.occurred_at) & (acts.kind == "pay"))
    bought = sparse.csr_matrix(
        (np.ones(len(paid), dtype=np.float32), (paid.person, paid.item)), shape=(len(acts.person_ids), len(acts.item_ids))
    )
    bought.data[:] = 1
    return bought


def relevance_within(acts: Interactions, window: SplitWindow) -> sparse.csr_matrix:
    """Persons × items: the largest weight (``jishi.preference``) of an act in the test interval.

    Purchases are few; that somebody looked at an item or put it into the cart says of taste what a purchase says, only less.
    """
    inside = acts.where(window.is_test(acts.occurred_at))
    weight = np.zeros(len(inside), dtype=np.float32)
    for kind, worth in WEIGHTS.items():
        weight[inside.kind == kind] = worth
    pair, where = np.unique(inside.person * len(acts.item_ids) + inside.item, return_inverse=True)
    relevance = np.zeros(len(pair), dtype=np.float32)
    np.maximum.at(relevance, where, weight)
    row, column = pair // len(acts.item_ids), pair % len(acts.item_ids)
    return sparse.csr_matrix((relevance, (row, column)), shape=(len(acts.person_ids), len(acts.item_ids)))


def shown_within(impressions: Impressions, window: SplitWindow, persons: int, items: int) -> tuple[Candidates, Scores]:
    """What each person was shown in the test interval, as candidates, and 1 for what was clicked."""
    inside = window.is_test(impressions.at)
    key = impressions.person[inside] * items + impressions.item[inside]
    pair, where = np.unique(key, return_inverse=True)
    clicked = np.zeros(len(pair), dtype=np.float32)
    np.maximum.at(clicked, where, impressions.is_clicked[inside].astype(np.float32))
    shown = Candidates(pair // items, pair % items, np.bincount(where).astype(np.float32), persons, items)
    return shown, clicked


def teaches_more(impressions: Impressions | None) -> bool:
    """Whether there are enough clicks to learn from impressions; else next purchases are the labels."""
    return impressions is not None and int(impressions.is_clicked.sum()) >= LEAST_CLICKS
