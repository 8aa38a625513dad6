"""Models of persons: each computes one list a person from the person's history."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from models.algorithms.buy_again import BuyAgain
from models.algorithms.item_lists import Trending, WindowedPopularity
from models.algorithms.personal_frequency import PersonalFrequency
from models.algorithms.recommender import top_k
from models.algorithms.sparse_rows import top_entries
from models.algorithms.tifu_knn import TIFUKNN
from models.algorithms.top_products import top_products, top_products_with_causes
from models.candidates.pairs import Candidates, look_up
from models.candidates.person_lists import LENGTH, Lists, origin
from models.candidates.training_context import TrainingSet
from models.data.sequences import Numbers

BATCH = 256
NEIGHBOURS_ITEMS = 150  # of each neighbour: what one of 300 hardly bought moves no list


def personal_frequency(training_set: TrainingSet) -> Lists:
    """What a person bought in many baskets, the latest ones counting most."""
    weights = PersonalFrequency(fade=0.9).weigh(training_set.baskets)
    return _of_matrix(training_set, weights, None)


def tifu_knn(training_set: TrainingSet) -> Lists:
    """Personal frequency with two decays, mixed with the baskets of similar persons (``models.algorithms.tifu_knn``)."""
    model = TIFUKNN().fit(training_set.baskets)
    mine, near, others = model.parts(training_set.baskets)
    effects = sparse.vstack([mine, top_entries(others, NEIGHBOURS_ITEMS)], format="csr")
    causes = sparse.hstack([sparse.identity(training_set.persons, dtype=np.float32), near], format="csr")
    items, weights = top_products(causes, effects, training_set.fill, LENGTH)
    return Lists.of(items, weights, _bought(training_set, items, "people_like_you"))


def item_knn(training_set: TrainingSet) -> Lists:
    """Items near those of a person's history, among them the history itself."""
    items, weights, because = top_products_with_causes(
        training_set.histories, training_set.item_knn.with_self_weight(), training_set.fill, LENGTH
    )
    is_history = because == items
    origins = np.where(is_history, _bought(training_set, items, "seen_before"), origin("like_yours"))
    return Lists.of(items, weights, origins, np.where(is_history, -1, because))


def als(training_set: TrainingSet) -> Lists:
    """Long-term taste: factors of a person and an item."""
    item_factors = np.asarray(training_set.als.state()["item_factors"], dtype=np.float32)
    items = np.full((training_set.persons, LENGTH), -1, dtype=np.int64)
    weights = np.zeros(items.shape, dtype=np.float32)
    for start in range(0, training_set.persons, BATCH):
        with threadpool_limits(1, user_api="blas"):  # too little work to wake other threads for
            scores = np.asarray(training_set.person_factors[start : start + BATCH] @ item_factors.T, dtype=np.float32)
        best = top_k(scores, LENGTH)
        values = np.take_along_axis(scores, best, axis=1)
        here = (slice(start, start + len(best)), slice(0, best.shape[1]))
        items[here], weights[here] = np.where(values > 0, best, -1), np.maximum(values, 0)
    return Lists.of(items, weights, "taste")


def buy_again(training_set: TrainingSet) -> Lists:
    """What a person is due to buy again, by the rhythm of the person and the item (``models.algorithms.buy_again``)."""
    return _of_matrix(training_set, BuyAgain().fit(training_set.moment).due(training_set.moment), "due_again")


def windowed_popularity(training_set: TrainingSet) -> Lists:
    """What sold within the last 14 days, for everybody."""
    return _same_for_all(training_set, WindowedPopularity().fit(training_set.moment).state()["strength"], "popularity")


def trending(training_set: TrainingSet) -> Lists:
    """What is acted upon more than usual these days, for everybody."""
    return _same_for_all(training_set, Trending().fit(training_set.moment).state()["strength"], "trending")


PERSONAL_LISTS: dict[str, Callable[[TrainingSet], Lists]] = {
    build.__name__: build for build in (personal_frequency, tifu_knn, item_knn, als, buy_again, windowed_popularity, trending)
}


def _of_matrix(training_set: TrainingSet, weights: sparse.csr_matrix, origin_name: str | None) -> Lists:
    """The top entries of persons × items; without ``origin_name`` the origin of each is how often the person bought it."""
    items, values = top_products(
        weights, sparse.identity(training_set.items, dtype=np.float32, format="csr"), training_set.fill, LENGTH
    )
    return Lists.of(items, values, origin_name or _bought(training_set, items, "bought_before"))


def _same_for_all(training_set: TrainingSet, strength: np.ndarray, origin_name: str) -> Lists:
    order = np.lexsort((np.arange(training_set.items), -strength))[:LENGTH]
    items = np.full(LENGTH, -1, dtype=np.int64)
    weights = np.zeros(LENGTH, dtype=np.float32)
    items[: len(order)], weights[: len(order)] = np.where(strength[order] > 0, order, -1), strength[order]
    return Lists.of(items[None], weights[None], origin_name)


def _bought(training_set: TrainingSet, items: Numbers, otherwise: str) -> Numbers:
    """Origin of each entry: bought in two baskets or more, in one, or ``otherwise``."""
    row = np.repeat(np.arange(len(items)), items.shape[1])
    pairs = Candidates(row, np.maximum(items, 0).ravel(), np.empty(0, np.float32), len(items), training_set.items)
    count = look_up(training_set.bought, pairs)[0].reshape(items.shape)
    often, before = origin("bought_often"), origin("bought_before")
    return np.where(count >= 2, often, np.where(count >= 1, before, origin(otherwise)))
