"""What came of a situation: acts after a gap, or clicks among what was shown."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from jishi.preference import WEIGHTS
from models.data.interactions import Interactions
from models.data.split import SplitWindow


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
