"""Where candidates come from: every source scores all items for a person, and gives its best ones.

It does not serve: these sources score every item for every person, which a request cannot wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from scipy import sparse

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.popularity import Popularity
from models.algorithms.recommender import Recommender, Scores, State, top_k
from models.algorithms.timed_model import TimedModel
from models.candidates.pairs import Candidates
from models.data.snapshot import Snapshot
from models.lab.ease import EASE
from models.lab.graph_filter import GFCF
from models.lab.multinomial_factors import MultinomialFactors
from models.lab.timed_models import TIMED_MODELS, make_timed

# How many items of each source become candidates.
SHARES = {
    "popularity": 20,
    "windowed_popularity": 20,
    "segment_popularity": 30,
    "trending": 10,
    "new": 10,
    "on_sale": 10,
    "buy_again": 30,
    "item_knn": 60,
    "recent": 40,
    "als": 40,
    "gf_cf": 60,
    "ease": 60,
    "multinomial": 60,
}
HALF_LIFE_DAYS = 7.0
_MATRIX: dict[str, Callable[[], Recommender]] = {
    "popularity": Popularity,
    "item_knn": lambda: ItemKNN(self_weight=3.0),
    "als": ALS,
    "gf_cf": lambda: GFCF(factors=64),
    "ease": EASE,
    "multinomial": MultinomialFactors,
}


class Sources:
    """All sources of a shop, fitted on one moment; ``recent`` is item-kNN on what the person did lately."""

    names = tuple(SHARES)

    def __init__(self) -> None:
        self.matrix_: dict[str, Recommender] = {}
        self.timed_: dict[str, TimedModel] = {}

    def fit(self, moment: Snapshot) -> Self:
        """Fit every source."""
        histories, sales = moment.acts.matrix(), moment.acts.sales()
        self.matrix_ = {name: make().fit(histories, sales) for name, make in _MATRIX.items()}
        self.timed_ = {name: make_timed(name).fit(moment) for name in TIMED_MODELS}
        return self

    def score(self, moment: Snapshot) -> dict[str, Scores]:
        """Scores of every source, each persons × items."""
        histories = moment.acts.matrix()
        scores = {name: model.score(histories) for name, model in self.matrix_.items()}
        scores |= {name: model.score(moment) for name, model in self.timed_.items()}
        scores["recent"] = self.matrix_["item_knn"].score(faded(moment, HALF_LIFE_DAYS))
        return {name: scores[name] for name in self.names}

    def states(self) -> dict[str, State]:
        """Fitted arrays of each source by name, for one artefact."""
        return {name: model.state() for name, model in (self.matrix_ | self.timed_).items()}

    def from_states(self, states: dict[str, State]) -> Self:
        """Take over fitted sources."""
        self.matrix_ = {name: make().from_state(states[name]) for name, make in _MATRIX.items()}
        self.timed_ = {name: make_timed(name).from_state(states[name]) for name in TIMED_MODELS}
        return self


def faded(moment: Snapshot, half_life_days: float) -> sparse.csr_matrix:
    """Persons × items: the strength of preference (``jishi.preference``) at the age of the person's last act on the item."""
    weights = moment.acts.matrix()
    age = moment.age_days()
    youngest = np.full(moment.persons * moment.items, np.inf)
    np.minimum.at(youngest, moment.acts.person * moment.items + moment.acts.item, age)
    rows = np.repeat(np.arange(moment.persons), np.diff(weights.indptr))
    weights.data *= np.power(0.5, youngest[rows * moment.items + weights.indices] / half_life_days).astype(np.float32)
    return weights


def candidates_of(scores: dict[str, Scores], allowed: np.ndarray) -> Candidates:
    """The union of the best items of each source; items with a score of 0 or outside ``allowed`` are no candidates.

    The strength is the number of sources that named the pair.
    """
    persons, items = next(iter(scores.values())).shape
    named = np.zeros((persons, items), dtype=np.float32)
    rows = np.arange(persons)[:, None]
    for name, share in SHARES.items():
        values = np.where(allowed, scores[name], 0)
        best = top_k(values, share)
        np.add.at(named, (np.broadcast_to(rows, best.shape), best), values[rows, best] > 0)
    row, item = np.nonzero(named)
    return Candidates(row.astype(np.int64), item.astype(np.int64), named[row, item], persons, items)
