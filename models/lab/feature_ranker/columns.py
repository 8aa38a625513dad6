"""What the trees see of a candidate: one row a person and item, one column a fact, no empty place.

It does not serve: a request's features reach no ranker yet.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Scores
from models.candidates.pairs import Candidates
from models.data.sequences import Numbers
from models.data.snapshot import Snapshot
from models.lab.feature_ranker.rhythm import RHYTHM, rhythm_facts
from models.lab.feature_ranker.situation import CONTEXT, ITEM_FEATURES, PERSON_FEATURES, Situation
from models.lab.feature_ranker.sources import HALF_LIFE_DAYS, SHARES, faded
from models.ranking.pair_facts import pair_facts

_PAIR = ("pair_views", "pair_adds", "pair_payments", "pair_recency", "pair_paid_recency")
_TASTE = ("category_share", "brand_share", "log_price_over_habit", "price_distance", "discount", "age_of_item_days")
NAMES: tuple[str, ...] = (
    *(f"{source}{suffix}" for source in SHARES for suffix in ("", "_of_best", "_rank")),
    "sources",
    *_PAIR,
    *RHYTHM,
    *_TASTE,
    *PERSON_FEATURES,
    *ITEM_FEATURES,
    *CONTEXT,
)


def columns(situation: Situation, scores: dict[str, Scores], candidates: Candidates) -> Scores:
    """The table, shape (candidates, ``NAMES``), float32."""
    row, item = candidates.row, candidates.item
    parts = [
        *_of_sources(scores, candidates),
        candidates.strength,
        *pair_facts(situation.moment, candidates),
        *rhythm_facts(situation.moment, candidates),
        *_of_taste(situation.moment, candidates),
        *situation.person_values[row].T,
        *situation.item_values[item].T,
        *situation.context[row].T,
    ]
    return np.ascontiguousarray(np.stack(parts, axis=1), dtype=np.float32)


def _of_sources(scores: dict[str, Scores], candidates: Candidates) -> list[Scores]:
    """Of each source: the score, the share of the person's best score, and log(1 + place)."""
    blocks = []
    row, item = candidates.row, candidates.item
    for name in SHARES:
        values = scores[name]
        strength = np.asarray(values[row, item], dtype=np.float32)
        best = np.maximum(values.max(axis=1), 1e-12)
        is_same_for_all = values.strides[0] == 0  # then one row is enough to sort
        place = _places(values[:1])[0, item] if is_same_for_all else _places(values)[row, item]
        blocks += [strength, strength / best[row], np.log1p(place).astype(np.float32)]
    return blocks


def _places(values: Scores) -> Numbers:
    order = np.argsort(-values, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(values.shape[1])[None, :], axis=1)
    return places


def _of_taste(moment: Snapshot, candidates: Candidates) -> list[Scores]:
    goods, weights = moment.goods, faded(moment, 4 * HALF_LIFE_DAYS)
    row, item = candidates.row, candidates.item
    shares = [_share(weights, group)[row, group[item]] * (group[item] >= 0) for group in (goods.category, goods.brand)]
    log_price = np.log(np.maximum(goods.price, 1.0))
    is_priced = np.isfinite(log_price)
    total = np.asarray(weights @ is_priced.astype(np.float32)).ravel()
    habit = np.asarray(weights @ np.where(is_priced, log_price, 0).astype(np.float32)).ravel() / np.maximum(total, 1e-9)
    over = np.where((total[row] > 0) & is_priced[item], log_price[item] - habit[row], 0.0)
    cut = 1.0 - goods.price / np.where(goods.reference_price > 0, goods.reference_price, np.nan)
    age = (moment.as_of - goods.listed_at) / np.timedelta64(1, "D")
    return [*shares, over, np.abs(over), np.nan_to_num(cut)[item], np.nan_to_num(age, nan=-1.0)[item]]


def _share(weights: sparse.csr_matrix, group: Numbers) -> Scores:
    """Share of each person's weight by group of items, persons × groups (one empty group at the end, for −1)."""
    size = int(group.max(initial=-1)) + 1
    known = np.flatnonzero(group >= 0)
    which = sparse.csr_matrix((np.ones(len(known), dtype=np.float32), (known, group[known])), shape=(len(group), size + 1))
    total = np.asarray((weights @ which).toarray())
    return np.asarray(total / np.maximum(total.sum(axis=1, keepdims=True), 1e-9))
