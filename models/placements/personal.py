"""Models that know persons: each makes a list of everybody from what the person did before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from models.baskets.frequency import PersonalFrequency
from models.baskets.tifu import TIFUKNN
from models.candidates import Candidates, look_up, strongest_entries
from models.placements.lesson import Lesson
from models.placements.lists import LENGTH, Lists, origin
from models.placements.strongest import strongest, strongest_with_causes
from models.recommender import top_k
from models.sessions.sequences import Numbers
from models.timed.buy_again import BuyAgain
from models.timed.item_lists import Trending, WindowedPopularity

BATCH = 256
NEIGHBOURS_ITEMS = 150  # of each neighbour: what one of 300 hardly bought moves no list


def personal_frequency(lesson: Lesson) -> Lists:
    """What a person bought in many baskets, the latest ones counting most."""
    weights = PersonalFrequency(fade=0.9).weigh(lesson.baskets)
    return _of_matrix(lesson, weights, None)


def tifu_knn(lesson: Lesson) -> Lists:
    """The same, fading twice, mixed with what people with like baskets buy (``models.baskets.tifu``)."""
    model = TIFUKNN().fit(lesson.baskets)
    own, near, others = model.parts(lesson.baskets)
    effects = sparse.vstack([own, strongest_entries(others, NEIGHBOURS_ITEMS)], format="csr")
    causes = sparse.hstack([sparse.identity(lesson.persons, dtype=np.float32), near], format="csr")
    items, weights = strongest(causes, effects, lesson.fill, LENGTH)
    return Lists.of(items, weights, _bought(lesson, items, "people_like_you"))


def item_knn(lesson: Lesson) -> Lists:
    """Items near those of a person's history, among them the history itself."""
    items, weights, because = strongest_with_causes(lesson.histories, lesson.item_knn.with_self_weight(), lesson.fill, LENGTH)
    is_own = because == items
    told = np.where(is_own, _bought(lesson, items, "seen_before"), origin("like_yours"))
    return Lists.of(items, weights, told, np.where(is_own, -1, because))


def als(lesson: Lesson) -> Lists:
    """Long-term taste: factors of a person and an item."""
    item_factors = np.asarray(lesson.als.state()["item_factors"], dtype=np.float32)
    items = np.full((lesson.persons, LENGTH), -1, dtype=np.int64)
    weights = np.zeros(items.shape, dtype=np.float32)
    for start in range(0, lesson.persons, BATCH):
        with threadpool_limits(1, user_api="blas"):  # too little work to wake other threads for
            scores = np.asarray(lesson.person_factors[start : start + BATCH] @ item_factors.T, dtype=np.float32)
        best = top_k(scores, LENGTH)
        values = np.take_along_axis(scores, best, axis=1)
        here = (slice(start, start + len(best)), slice(0, best.shape[1]))
        items[here], weights[here] = np.where(values > 0, best, -1), np.maximum(values, 0)
    return Lists.of(items, weights, "taste")


def buy_again(lesson: Lesson) -> Lists:
    """What a person is due to buy again, by the rhythm of the person and the item (``models.timed.buy_again``)."""
    return _of_matrix(lesson, BuyAgain().fit(lesson.moment).due(lesson.moment), "due_again")


def windowed_popularity(lesson: Lesson) -> Lists:
    """What sold within the last 14 days, for everybody."""
    return _same_for_all(lesson, WindowedPopularity().fit(lesson.moment).state()["strength"], "popularity")


def trending(lesson: Lesson) -> Lists:
    """What is acted upon more than usual these days, for everybody."""
    return _same_for_all(lesson, Trending().fit(lesson.moment).state()["strength"], "trending")


PERSONAL_LISTS: dict[str, Callable[[Lesson], Lists]] = {
    made.__name__: made for made in (personal_frequency, tifu_knn, item_knn, als, buy_again, windowed_popularity, trending)
}


def _of_matrix(lesson: Lesson, weights: sparse.csr_matrix, told: str | None) -> Lists:
    """The strongest entries of persons × items; without ``told`` the origin says how often the person bought each."""
    items, values = strongest(weights, sparse.identity(lesson.items, dtype=np.float32, format="csr"), lesson.fill, LENGTH)
    return Lists.of(items, values, told or _bought(lesson, items, "bought_before"))


def _same_for_all(lesson: Lesson, strength: np.ndarray, told: str) -> Lists:
    order = np.lexsort((np.arange(lesson.items), -strength))[:LENGTH]
    items = np.full(LENGTH, -1, dtype=np.int64)
    weights = np.zeros(LENGTH, dtype=np.float32)
    items[: len(order)], weights[: len(order)] = np.where(strength[order] > 0, order, -1), strength[order]
    shape = (lesson.persons, LENGTH)
    return Lists.of(np.broadcast_to(items, shape), np.broadcast_to(weights, shape), told)


def _bought(lesson: Lesson, items: Numbers, otherwise: str) -> Numbers:
    """Origin of each entry: bought in two baskets or more, in one, or ``otherwise``."""
    row = np.repeat(np.arange(len(items)), items.shape[1])
    pairs = Candidates(row, np.maximum(items, 0).ravel(), np.empty(0, np.float32), len(items), lesson.items)
    count = look_up(lesson.bought, pairs)[0].reshape(items.shape)
    often, before = origin("bought_often"), origin("bought_before")
    return np.where(count >= 2, often, np.where(count >= 1, before, origin(otherwise)))
