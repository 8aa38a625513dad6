"""The person's own rhythm: when is each item due again?

It does not serve: only ``models.lab.basket_blend`` reads these columns.
"""

from __future__ import annotations

import numpy as np

from models.algorithms.recommender import Scores
from models.candidates.pairs import Candidates, values_at
from models.data.baskets import Purchases

NEVER = -1.0  # the value of a fact that is not known; trees split it off


def rhythm(histories: Purchases, candidates: Candidates) -> list[Scores]:
    """Facts of each candidate, counted up to the person's last basket and, where known, to when the next one is asked for.

    Purchases, their share of the baskets, baskets and time since the last one, mean gap between purchases in baskets and time,
    and how due the item is: since the last purchase over the mean gap. Of the person: baskets, items a basket, time between
    baskets. With a time of asking also: time from the last purchase until then, the same over the mean gap, time from the last
    basket until then, and that over the person's time between baskets.
    """
    count, last_back, last_at, first_back, first_at = (values_at(matrix, candidates) for matrix in histories.spans())
    bought = count > 0
    baskets = np.maximum(histories.baskets, 1)[candidates.row].astype(np.float64)
    newest, oldest = histories.ends()
    since = np.where(bought, newest[candidates.row] - last_at, NEVER)
    many = count > 1
    gap = np.where(many, (first_back - last_back) / np.maximum(count - 1, 1), NEVER)
    gap_time = np.where(many, (last_at - first_at) / np.maximum(count - 1, 1), NEVER)
    due = np.where(many, (last_back + 1) / np.maximum(gap, 1e-9), NEVER)
    due_time = np.where(many & (gap_time > 0), since / np.maximum(gap_time, 1e-9), NEVER)
    size = np.bincount(histories.user, minlength=histories.users) / np.maximum(histories.baskets, 1)
    pace = (newest - oldest) / np.maximum(histories.baskets - 1, 1)
    facts: tuple[np.ndarray, ...] = (
        *(count, count / baskets, np.where(bought, last_back, NEVER), np.where(bought, first_back, NEVER)),
        *(since, gap, gap_time, due, due_time),
        *(baskets, size[candidates.row], pace[candidates.row]),
    )
    if histories.asked_at is not None:
        asked_at = np.where(np.isnan(histories.asked_at), newest + pace, histories.asked_at)
        wait = asked_at - newest
        until = np.where(bought, asked_at[candidates.row] - last_at, NEVER)
        due_until = np.where(many & (gap_time > 0), until / np.maximum(gap_time, 1e-9), NEVER)
        facts += (until, due_until, wait[candidates.row], (wait / np.maximum(pace, 1e-9))[candidates.row])
    return [np.asarray(fact, dtype=np.float32) for fact in facts]
