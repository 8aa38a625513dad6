"""What came of a situation: purchases after a gap, or clicks among what was shown.

It does not serve: the ranker of a release learns from acts alone (``models.ranking.labels``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.algorithms.recommender import Scores
from models.candidates.pairs import Candidates
from models.data.interactions import Interactions
from models.data.sequences import Numbers
from models.data.split import Instants, SplitWindow

LEAST_CLICKS = 1_000  # below this many clicked lists, purchases teach more


@dataclass(frozen=True)
class ClickedImpressions:
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


def shown_within(impressions: ClickedImpressions, window: SplitWindow, persons: int, items: int) -> tuple[Candidates, Scores]:
    """What each person was shown in the test interval, as candidates, and 1 for what was clicked."""
    inside = window.is_test(impressions.at)
    key = impressions.person[inside] * items + impressions.item[inside]
    pair, where = np.unique(key, return_inverse=True)
    clicked = np.zeros(len(pair), dtype=np.float32)
    np.maximum.at(clicked, where, impressions.is_clicked[inside].astype(np.float32))
    shown = Candidates(pair // items, pair % items, np.bincount(where).astype(np.float32), persons, items)
    return shown, clicked


def teaches_more(impressions: ClickedImpressions | None) -> bool:
    """Whether there are enough clicks to learn from impressions; else next purchases are the labels."""
    return impressions is not None and int(impressions.is_clicked.sum()) >= LEAST_CLICKS
