"""Other learners on the ranker's training data, for comparison: CatBoost's YetiRank and LightGBM's LambdaRank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bench.rank import train_lightgbm
from models.algorithms.recommender import Items, Scores
from models.candidates.pairs import Candidates
from models.data.sequences import places_in_rows
from models.lab.feature_ranker.columns import columns
from models.lab.feature_ranker.ranker import LabelledSituation, examples_of
from models.lab.feature_ranker.situation import Situation
from models.lab.feature_ranker.sources import Sources, candidates_of
from models.ranking.growth import Growth, join_examples, train_catboost


def rival_lists(
    labelled: list[LabelledSituation], growth: Growth, asked: Situation, sources: Sources, allowed: np.ndarray, k: int
) -> dict[str, Items]:
    """PersonLists by name, from the same candidates and columns as the ranker's."""
    taught = join_examples([examples_of(each) for each in labelled[:-1]]).with_a_hit().thinned(growth.misses, growth.seed)
    yetirank = replace(growth, loss="YetiRank", trees=50, learning_rate=0.15)
    learners: dict[str, Callable[[], Any]] = {
        "CatBoost YetiRank": lambda: train_catboost(taught, yetirank),
        "LightGBM LambdaRank": lambda: train_lightgbm(taught, growth.trees, leaves=15, least_leaf=100, learning_rate=0.05),
    }
    scores = sources.score(asked.moment)
    candidates = candidates_of(scores, allowed)
    table = columns(asked, scores, candidates)
    return {name: _best(candidates, learn().predict(table), k) for name, learn in learners.items()}


def _best(candidates: Candidates, scores: Scores, k: int) -> Items:
    order = np.lexsort((candidates.item, -scores, candidates.row))
    counts = np.bincount(candidates.row, minlength=candidates.rows)
    place = places_in_rows(counts)
    lists = np.full((candidates.rows, k), -1, dtype=np.int64)
    first = place < k
    lists[candidates.row[order][first], place[first]] = candidates.item[order][first]
    return lists
