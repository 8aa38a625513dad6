"""Rankers of a made shop: every source that the placement's ranker asks, facts of its persons, and trees of the size that
``models.training.request_rankers`` grows. The trees are made, not grown: what they cost does not depend on what they learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

import numpy as np

from models.algorithms.item_rules import ItemRules
from models.algorithms.recommender import Scores, State
from models.algorithms.session_knn import SessionKNN
from models.algorithms.session_model import SessionModel
from models.algorithms.symmetric_trees import SymmetricTrees
from models.candidates.person_lists import LENGTH, PersonLists
from models.candidates.recipes import Fitted
from models.candidates.request_sources import REQUEST_SOURCES
from models.data.act_contexts import CONTEXT
from models.data.sequences import Numbers, Sequences
from models.ranking.context_facts import MOST_VALUES, ContextFacts
from models.ranking.known_facts import KnownFacts
from models.ranking.live_ranker import LiveRanker
from models.ranking.request_columns import STORED_OF_ITEM, names
from models.ranking.request_ranker import RequestRanker
from models.training.request_rankers import GROWTH

PLACEMENTS = ("home", "item")
_FOR_ALL = {"windowed_popularity": "popularity", "trending": "trending"}
_ORIGINS = {"item_knn": "like_yours", "personal_frequency": "bought_often", "tifu_knn": "people_like_you"}


def made_rankers(
    similarities: ItemRules, sales: Scores, category: Numbers, visits: Numbers, number_of: Mapping[str, int]
) -> dict[str, LiveRanker]:
    """Rankers by placement. ``visits`` (persons, acts) oldest last, filled up with −1; ``similarities`` of items."""
    items = len(sales)
    fitted = Fitted(_contexts(similarities, visits, items), _lists(sales, len(visits)))
    facts = _facts(sales, category, visits)
    return {
        placement: LiveRanker(RequestRanker(placement, _trees(placement)), fitted, facts, number_of) for placement in PLACEMENTS
    }


def _contexts(similarities: ItemRules, visits: Numbers, items: int) -> dict[str, SessionModel]:
    """Rules from item to item stand on one matrix, sessions are the visits."""
    kept = visits >= 0
    lengths = kept.sum(axis=1)
    oldest_first = visits[:, ::-1]
    sessions = Sequences(oldest_first[oldest_first >= 0], np.concatenate([[0], np.cumsum(lengths)]), items)
    sessions_model = SessionKNN(neighbours=200, decay=5.0).fit(sessions)
    return {"item_knn": similarities, "rules": similarities, "together": similarities, "session_knn": sessions_model}


def _lists(sales: Scores, persons: int) -> dict[str, PersonLists]:
    rng = np.random.default_rng(11)
    lists = {}
    for name in dict.fromkeys(each for placement in PLACEMENTS for each in REQUEST_SOURCES[placement].lists):
        rows = 1 if name in _FOR_ALL else persons
        best = np.argsort(-sales)[None, : LENGTH * 4 : 4]
        listed = best if name in _FOR_ALL else rng.integers(0, len(sales), (rows, LENGTH))
        weights = np.sort(rng.random((rows, LENGTH), dtype=np.float32), axis=1)[:, ::-1] + np.float32(0.01)
        lists[name] = PersonLists.of(listed, weights, _FOR_ALL.get(name) or _ORIGINS.get(name, "taste"))
    return lists


def _facts(sales: Scores, category: Numbers, visits: Numbers) -> KnownFacts:
    """What each person looked at in the visit before; every third of it was bought, too."""
    rows = [np.unique(row[row >= 0]) for row in visits]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    items = np.concatenate(rows).astype(np.int32)
    counts = np.ones((len(items), 3), dtype=np.float32)
    counts[:, 2] = np.arange(len(items)) % 3 == 0
    last_ms = np.full(len(items), 1_790_000_000_000, dtype=np.int64)
    item_logs = np.log1p(np.column_stack([sales, sales / 10])).astype(np.float32)
    person_logs = np.log1p(np.column_stack([np.diff(starts) // 3, np.diff(starts)])).astype(np.float32)
    paid_ms = np.where(counts[:, 2] > 0, last_ms, 0)
    frequent = np.array([crc32(text.encode()) for kind in CONTEXT for text in (f"{kind} {n}" for n in range(MOST_VALUES))])
    lifts = np.random.default_rng(17).integers(-64, 65, (len(sales), len(frequent)), dtype=np.int8)
    contexts = ContextFacts(frequent, np.arange(0, len(frequent) + 1, MOST_VALUES), lifts)
    return KnownFacts(item_logs, category.astype(np.int64), person_logs, starts, items, counts, last_ms, paid_ms, contexts)


def _trees(placement: str) -> SymmetricTrees:
    """Of all columns but the stored features of items, which ``jishi bench feature-read`` measures."""
    rng = np.random.default_rng(13)
    every = names(REQUEST_SOURCES[placement])
    looked_at = np.flatnonzero([name not in STORED_OF_ITEM for name in every])
    shape = (GROWTH.trees, GROWTH.depth)
    state: State = {
        "feature": rng.choice(looked_at, shape).astype(np.int32),
        "border": rng.random(shape, dtype=np.float32) * 2,
        "leaf": rng.standard_normal((GROWTH.trees, 2**GROWTH.depth)) / 10,
        "bias": np.zeros(1),
        "features": np.array([len(every)]),
    }
    return SymmetricTrees().from_state(state)
