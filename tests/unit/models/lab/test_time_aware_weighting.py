"""Time-aware item weighting by hand on three baskets, and what it learns from baskets whose rhythm is known."""

from __future__ import annotations

from dataclasses import replace
from math import exp, pi, sqrt

import numpy as np
import pytest

from models.algorithms.sparse_rows import top_of
from models.data.baskets import Purchases
from models.lab.repurchase_kernels import intensities, learn_epoch, mean_gap
from models.lab.time_aware_weighting import TAIW, TAIWI


def purchases(people: list[list[tuple[float, list[int]]]], items: int, asked_at: list[float] | None = None) -> Purchases:
    """People as lists of (day, basket), oldest first."""
    rows = [
        (user, item, len(baskets) - 1 - number, day)
        for user, baskets in enumerate(people)
        for number, (day, basket) in enumerate(baskets)
        for item in sorted(basket)
    ]
    user, item, back = (np.array([row[column] for row in rows], dtype=np.int64) for column in range(3))
    counts = np.array([len(baskets) for baskets in people], dtype=np.int64)
    at = np.array([row[3] for row in rows])
    return Purchases(user, item, back, at, counts, items, None if asked_at is None else np.array(asked_at))


THREE = purchases([[(0.0, [0, 1]), (10.0, [0]), (30.0, [0, 2])]], 4, asked_at=[40.0])


def kernel(elapsed: float, mean: float) -> float:
    """Before any learning: half an exponential and half a normal of spread 1."""
    return 0.5 * exp(-elapsed) + 0.5 * exp(-0.5 * (elapsed - mean) ** 2) / sqrt(2 * pi)


def test_three_baskets_by_hand() -> None:
    """Item 0 was bought again after 10 and 20 days, so the mean gap is 15 and one unit of two gaps is 30 days."""
    assert mean_gap(THREE) == 15
    model = TAIWI(own_share=1.0, epochs=0, unit=2.0).fit(THREE)
    weights = model.score(THREE).toarray()[0]
    expected = [sum(kernel(days / 30, 0.5) for days in (40, 30, 10)), kernel(40 / 30, 0.5), kernel(10 / 30, 0.5), 0]
    np.testing.assert_allclose(weights, expected, rtol=1e-5)


def test_without_a_time_of_asking_the_persons_pace_says_it() -> None:
    model = TAIWI(own_share=1.0, epochs=0, unit=2.0).fit(THREE)
    assert model.asked_at(replace(THREE, asked_at=None)).tolist() == [30 + 15]
    assert model.asked_at(replace(THREE, asked_at=np.array([np.nan]))).tolist() == [45]


def test_neighbours_bring_what_they_are_due_for() -> None:
    """Both bought item 0 ten days ago; the other one item 3 also, at the same strength by its own kernel."""
    people = purchases([[(0.0, [0])], [(0.0, [0, 3])]], 4, asked_at=[10.0, 10.0])
    model = TAIWI(neighbours=2, own_share=0.5, epochs=0, unit=1.0).fit(people)
    mine, theirs = model.excitement(people).toarray()
    weights = model.score(people).toarray()[0]
    np.testing.assert_allclose(weights, 0.5 * mine + 0.5 * (mine + theirs) / 2, rtol=1e-5)
    assert weights[3] > 0


def test_a_step_goes_down_the_slope_of_the_loss() -> None:
    """The gradients of kernels and factors against differences of the loss of one purchase."""
    bought_starts, bought = np.array([0, 1]), np.array([0])
    user, item, at = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64), np.array([0.0, 0.4, 1.1])
    start, order, negatives = np.zeros(3, dtype=np.int64), np.array([2]), np.array([1])
    rng = np.random.default_rng(0)
    kernels = np.array([[0.8, 0.4, 0.6, 0.7, 0.9], [1.0, 0.5, 0.5, 1.0, 1.0]])
    people, things = rng.normal(size=(1, 3)), rng.normal(size=(2, 3))

    def loss(kernels: np.ndarray, people: np.ndarray, things: np.ndarray) -> float:
        excited = intensities(kernels, np.zeros(2, dtype=np.int64), 1.1 - at[:2]).sum()
        return float(np.log1p(np.exp(-(excited + people[0] @ (things[0] - things[1])))))

    moved = [each.copy() for each in (kernels, people, things)]
    squares = [np.full_like(each, 1e12) for each in moved]  # so large that Adagrad's step is the gradient times rate / 1e6
    parts = (moved[0], squares[0], moved[1], squares[1], moved[2], squares[2])
    total = learn_epoch(user, item, at, start, bought, bought_starts, order, negatives, *parts, 1e6 * 1e-4, 0.0)
    assert total == pytest.approx(loss(kernels, people, things))
    for number, each in enumerate((kernels, people, things)):
        for place in np.ndindex(each.shape):
            changed = [kernels.copy(), people.copy(), things.copy()]
            changed[number][place] += 1e-6
            slope = (loss(*changed) - loss(kernels, people, things)) / 1e-6
            assert (moved[number][place] - each[place]) == pytest.approx(-1e-4 * slope, rel=2e-3, abs=1e-9)


def shop_of_two_rhythms(people: int = 200, seed: int = 3) -> Purchases:
    """Item 0 is bought every 5 days, item 1 every 40; each basket also holds something that nobody comes back for."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(people):
        days = float(rng.uniform(0, 5)) + 5.0 * np.arange(24)
        usual = [[0, 1] if number % 8 == 0 else [0] for number in range(len(days))]
        rows.append([(day, [*each, int(rng.integers(2, 40))]) for day, each in zip(days, usual, strict=True)])
    return purchases(rows, 40, asked_at=[np.nan] * people)


def test_learning_finds_the_gap_of_each_item() -> None:
    people = shop_of_two_rhythms()
    model = TAIWI(epochs=20, rate=0.1, unit=1.0).fit(people)
    assert model.kernels_ is not None
    fast, slow = intensities(model.kernels_, np.array([0, 1]), np.array([5.0, 5.0]) / model.scale_)
    fast_later, slow_later = intensities(model.kernels_, np.array([0, 1]), np.array([40.0, 40.0]) / model.scale_)
    assert fast * slow_later > slow * fast_later


def test_tastes_reach_what_nobody_near_bought() -> None:
    """With factors every item has a score, so lists need no popularity to be filled."""
    people = shop_of_two_rhythms(50)
    model = TAIW(factors=4, own_share=1.0, epochs=5).fit(people)
    assert (np.diff(model.score(people).indptr) == 40).all()
    assert top_of(model.score(purchases([[]], 40)), 3).tolist() == [[0, 1, 2]]
