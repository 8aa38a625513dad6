"""Models of persons: each computes one list a person from the person's history."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from models.algorithms.buy_again import BuyAgain
from models.algorithms.nearest_items import NearestItems
from models.algorithms.personal_frequency import PersonalFrequency
from models.algorithms.recommender import top_k
from models.algorithms.sparse_rows import top_entries, unpack
from models.algorithms.tifu_knn import TIFUKNN
from models.algorithms.top_products import top_products, top_products_with_causes
from models.algorithms.trending import Trending
from models.algorithms.windowed_popularity import WindowedPopularity
from models.candidates.pairs import Candidates, look_up
from models.candidates.person_lists import LENGTH, PersonLists, origin
from models.candidates.training_context import TrainingContext
from models.data.hash_order import in_hash_order
from models.data.sequences import Numbers

SLICE = 50_000  # persons at a time: what is worked out for them, not for all, is held wider than it is stored
BATCH = 256
NEIGHBOURS_ITEMS = 150  # of each neighbour: what one of 300 hardly bought moves no list
MOST_LOOKED_AMONG = 10_000  # persons for those like one: work grows with persons × these, of whom a list needs 300
MOST_PRODUCTS = 2 * 10**9  # of persons and items: beyond, the items of a taste are searched for by an index


def personal_frequency(training_context: TrainingContext) -> PersonLists:
    """What a person bought in many baskets, the latest ones counting most."""
    weights = PersonalFrequency(fade=0.9).score(training_context.baskets)
    return _of_matrix(training_context, weights, None)


def tifu_knn(training_context: TrainingContext) -> PersonLists:
    """Personal frequency with two decays, mixed with the baskets of similar persons (``models.algorithms.tifu_knn``)."""
    model = TIFUKNN().fit(training_context.baskets, _looked_among(training_context))
    others = top_entries(unpack("vectors", model.state()), NEIGHBOURS_ITEMS)
    parts = []
    for persons, mine, near in model.parts(training_context.baskets, SLICE):
        effects = sparse.vstack([mine, others], format="csr")
        causes = sparse.hstack([sparse.identity(mine.shape[0], dtype=np.float32), near], format="csr")
        items, weights = top_products(causes, effects, training_context.fill, LENGTH)
        parts.append(PersonLists.of(items, weights, _bought(training_context, persons, items, "people_like_you")))
    return PersonLists.of_all(parts)


def _looked_among(training_context: TrainingContext) -> Numbers | None:
    """Persons who bought something, by hash; None for everybody of a shop that is not large."""
    buyers = training_context.baskets.baskets > 0
    if buyers.sum() <= MOST_LOOKED_AMONG:
        return None
    order = in_hash_order(training_context.acts.person_ids)
    return np.sort(order[buyers[order]][:MOST_LOOKED_AMONG])


def item_knn(training_context: TrainingContext) -> PersonLists:
    """Items near those of a person's history, among them the history itself."""
    similarities = training_context.item_knn.with_self_weight()

    def some(persons: slice) -> PersonLists:
        items, weights, because = top_products_with_causes(
            training_context.histories[persons], similarities, training_context.fill, LENGTH
        )
        is_history = because == items
        seen = _bought(training_context, persons, items, "seen_before")
        return PersonLists.of(
            items, weights, np.where(is_history, seen, origin("like_yours")), np.where(is_history, -1, because)
        )

    return _in_slices(training_context, some)


def als(training_context: TrainingContext) -> PersonLists:
    """Long-term taste: factors of a person and an item; of a large shop nearly the best, by an index."""
    nearest = training_context.nearest if training_context.persons * training_context.items > MOST_PRODUCTS else None
    return _in_slices(training_context, lambda persons: _of_taste(training_context, persons, nearest))


def _of_taste(training_context: TrainingContext, persons: slice, nearest: NearestItems | None) -> PersonLists:
    item_factors = np.asarray(training_context.als.state()["item_factors"], dtype=np.float32)
    factors = training_context.person_factors[persons]
    items = np.full((len(factors), LENGTH), -1, dtype=np.int64)
    weights = np.zeros(items.shape, dtype=np.float32)
    for start in range(0, len(factors), BATCH):
        asked = factors[start : start + BATCH]
        if nearest is not None:
            best = nearest.best_of_each(asked, LENGTH)
            values = np.where(best >= 0, np.einsum("pf,pkf->pk", asked, item_factors[best]), 0).astype(np.float32)
            order = np.argsort(-values, axis=1, kind="stable")
            best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
        else:
            with threadpool_limits(1, user_api="blas"):  # too little work to wake other threads for
                scores = np.asarray(asked @ item_factors.T, dtype=np.float32)
            best = top_k(scores, LENGTH)
            values = np.take_along_axis(scores, best, axis=1)
        here = (slice(start, start + len(best)), slice(0, best.shape[1]))
        items[here], weights[here] = np.where(values > 0, best, -1), np.maximum(values, 0)
    return PersonLists.of(items, weights, "taste")


def buy_again(training_context: TrainingContext) -> PersonLists:
    """What a person is due to buy again, by the rhythm of the person and the item (``models.algorithms.buy_again``)."""
    return _of_matrix(training_context, BuyAgain().fit(training_context.moment).due(training_context.moment), "due_again")


def windowed_popularity(training_context: TrainingContext) -> PersonLists:
    """What sold within the last 14 days, for everybody."""
    return _same_for_all(training_context, WindowedPopularity().fit(training_context.moment).state()["strength"], "popularity")


def trending(training_context: TrainingContext) -> PersonLists:
    """What is acted upon more than usual these days, for everybody."""
    return _same_for_all(training_context, Trending().fit(training_context.moment).state()["strength"], "trending")


PERSONAL_LISTS: dict[str, Callable[[TrainingContext], PersonLists]] = {
    build.__name__: build for build in (personal_frequency, tifu_knn, item_knn, als, buy_again, windowed_popularity, trending)
}

FOR_EVERYBODY = (windowed_popularity.__name__, trending.__name__)


def _in_slices(training_context: TrainingContext, some: Callable[[slice], PersonLists]) -> PersonLists:
    """The lists of all persons, some at a time."""
    persons = training_context.persons
    return PersonLists.of_all([some(slice(start, min(start + SLICE, persons))) for start in range(0, persons, SLICE)])


def _of_matrix(training_context: TrainingContext, weights: sparse.csr_matrix, origin_name: str | None) -> PersonLists:
    """The top entries of persons × items; without ``origin_name`` the origin of each is how often the person bought it."""
    itself = sparse.identity(training_context.items, dtype=np.float32, format="csr")

    def some(persons: slice) -> PersonLists:
        items, values = top_products(weights[persons], itself, training_context.fill, LENGTH)
        return PersonLists.of(items, values, origin_name or _bought(training_context, persons, items, "bought_before"))

    return _in_slices(training_context, some)


def _same_for_all(training_context: TrainingContext, strength: np.ndarray, origin_name: str) -> PersonLists:
    order = np.lexsort((np.arange(training_context.items), -strength))[:LENGTH]
    items = np.full(LENGTH, -1, dtype=np.int64)
    weights = np.zeros(LENGTH, dtype=np.float32)
    items[: len(order)], weights[: len(order)] = np.where(strength[order] > 0, order, -1), strength[order]
    return PersonLists.of(items[None], weights[None], origin_name)


def _bought(training_context: TrainingContext, persons: slice, items: Numbers, otherwise: str) -> Numbers:
    """Origin of each entry of some persons' lists: bought in two baskets or more, in one, or ``otherwise``."""
    row = np.repeat(np.arange(len(items)), items.shape[1])
    pairs = Candidates(row, np.maximum(items, 0).ravel(), np.empty(0, np.float32), len(items), training_context.items)
    count = look_up(training_context.bought[persons], pairs)[0].reshape(items.shape)
    often, before = origin("bought_often"), origin("bought_before")
    return np.where(count >= 2, often, np.where(count >= 1, before, origin(otherwise)))
