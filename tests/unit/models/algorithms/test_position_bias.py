"""Clicks of items are compared as if all had stood in one place; what is looked at follows from simulated readers."""

from __future__ import annotations

import numpy as np
import pytest

from models.algorithms.position_bias import MOST_PLACES, PlacedImpressions

ITEMS, PLACES = 30, 10
LOOKS = 1 / (1 + 0.5 * np.arange(PLACES))  # a reader looks at the first place always, at the tenth in two of eleven lists


def read_lists(lists: int, *, is_sorted: bool) -> tuple[PlacedImpressions, np.ndarray]:
    """Readers of lists of ten of thirty items, at random or with the liked ones mostly on top, and how liked each item is."""
    rng = np.random.default_rng(8)
    liked = np.linspace(0.05, 0.35, ITEMS)
    shown, clicked = np.zeros((2, ITEMS, PLACES))
    for _ in range(lists):
        order = np.argsort(rng.random(ITEMS) - (3 * liked if is_sorted else 0))[:PLACES]
        shown[order, np.arange(PLACES)] += 1
        clicked[order, np.arange(PLACES)] += rng.random(PLACES) < LOOKS * liked[order]
    item, place = np.nonzero(shown)
    return PlacedImpressions(item, place, shown[item, place], clicked[item, place]), liked


@pytest.mark.parametrize("is_sorted", [False, True])
def test_how_often_a_place_is_looked_at_follows_from_clicks(is_sorted: bool) -> None:
    impressions, _ = read_lists(40_000, is_sorted=is_sorted)
    examination = impressions.examination()[:PLACES]
    assert examination / examination[0] == pytest.approx(LOOKS, rel=0.12)


def test_an_item_that_stood_low_is_not_thought_bad() -> None:
    impressions, liked = read_lists(40_000, is_sorted=True)
    clicks = np.bincount(impressions.item, weights=impressions.clicked)
    shown = np.bincount(impressions.item, weights=impressions.shown)
    often = shown > 3_000
    assert often.sum() > 10
    right = (liked * LOOKS[4])[often]
    rate, raw = (clicks / impressions.examined(ITEMS, 4, impressions.examination()))[often], (clicks / shown)[often]
    assert rate == pytest.approx(right, rel=0.25)
    assert np.abs(rate / right - 1).mean() < np.abs(raw / right - 1).mean() / 3


def test_without_clicks_every_impression_counts() -> None:
    impressions = PlacedImpressions(np.array([0, 1, 1]), np.array([0, 3, 70]), np.array([5.0, 2.0, 4.0]), np.zeros(3))
    assert impressions.examination().tolist() == [1.0] * MOST_PLACES
    assert impressions.examined(3, 4, impressions.examination()).tolist() == [5.0, 6.0, 0.0]


def test_few_clicks_move_little_and_no_item_has_more_clicks_than_looks() -> None:
    impressions = PlacedImpressions(np.array([0, 1]), np.array([0, 9]), np.array([10.0, 10.0]), np.array([2.0, 0.0]))
    assert impressions.examination()[:10] == pytest.approx(np.ones(10), abs=0.1)
    everything = PlacedImpressions(np.array([0, 1]), np.array([0, 9]), np.array([3.0, 900.0]), np.array([3.0, 9.0]))
    assert (everything.examined(2, 4, everything.examination()) >= [3.0, 9.0]).all()
