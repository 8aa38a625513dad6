"""PersonLists from scores, metrics against values computed by hand, intervals."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.recommender import top_k
from models.evaluation.intervals import bootstrap, estimate, resampled_means
from models.evaluation.metrics import METRICS, average_precision, coverage, hit_rate, ndcg, recall, reciprocal_rank

# hits at each position, relevant items; recall, ndcg, hit rate, reciprocal rank, average precision
WORKED = [
    # found at 1 and 3 of 3 relevant
    ([1, 0, 1, 0], 3, 2 / 3, (1 + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4)), 1, 1, (1 / 1 + 2 / 3) / 3),
    # the only one, at position 2
    ([0, 1, 0, 0], 1, 1, 1 / log2(3), 1, 1 / 2, 1 / 2),
    # nothing found
    ([0, 0, 0, 0], 2, 0, 0, 0, 0, 0),
    # a perfect list
    ([1, 1, 0, 0], 2, 1, 1, 1, 1, 1),
    # more relevant items than places: the ideal list is full, recall cannot be 1
    ([1, 1, 1, 1], 8, 1 / 2, 1, 1, 1, 1),
]


@pytest.mark.parametrize(("hits", "relevant", "r", "n", "h", "m", "a"), WORKED)
def test_metrics_worked_by_hand(hits: list[int], relevant: int, r: float, n: float, h: float, m: float, a: float) -> None:
    one = (np.array([hits], dtype=np.bool_), np.array([relevant]))
    rows = [float(metric(*one)[0]) for metric in (recall, ndcg, hit_rate, reciprocal_rank, average_precision)]
    assert rows == pytest.approx([r, n, h, m, a])


def test_each_person_gets_a_number_of_its_own() -> None:
    hits, relevant = np.array([row[0] for row in WORKED], dtype=np.bool_), np.array([row[1] for row in WORKED])
    for place, name in enumerate(("recall", "ndcg", "hit_rate", "mrr", "map"), start=2):
        assert METRICS[name](hits, relevant).tolist() == pytest.approx([row[place] for row in WORKED])


def test_coverage_counts_items_once_and_no_empty_place() -> None:
    assert coverage(np.array([[0, 1], [1, -1]]), 4) == 0.5
    assert coverage(np.empty((0, 2), dtype=np.int64), 4) == 0


def test_equal_scores_are_ordered_by_index_also_at_the_edge_of_the_list() -> None:
    scores = np.array([[1, 3, 3, 3, 2], [0, 0, 0, 0, 0]], dtype=np.float32)
    assert top_k(scores, 2).tolist() == [[1, 2], [0, 1]]
    assert top_k(scores, 4).tolist() == [[1, 2, 3, 4], [0, 1, 2, 3]]


def test_a_row_ends_in_minus_one_where_too_few_are_left() -> None:
    scores = np.array([[4, 3, 2], [4, 3, 2]], dtype=np.float32)
    masked = sparse.csr_matrix(np.array([[1, 0, 1], [0, 0, 0]]))
    assert top_k(scores, 3, masked).tolist() == [[1, -1, -1], [0, 1, 2]]
    assert scores[0].tolist() == [4, 3, 2]  # the scores stay as they were
    assert top_k(scores, 99).shape == (2, 3)


def test_an_interval_holds_the_mean_narrows_with_persons_and_repeats() -> None:
    luck = np.random.default_rng(3)
    few, many = bootstrap(luck.random(50)), bootstrap(luck.random(5000))
    for entry in (few, many):
        assert entry.low < entry.mean < entry.high
    assert many.high - many.low < (few.high - few.low) / 5
    values = luck.random(100)
    assert bootstrap(values) == bootstrap(values)
    # The 95 % interval of a mean of n uniform numbers is about ±1.96 · √(1/12n).
    assert many.high - many.low == pytest.approx(2 * 1.96 * (1 / 12 / 5000) ** 0.5, rel=0.15)


def test_an_interval_of_equal_values_has_no_width_and_of_nobody_is_refused() -> None:
    result = bootstrap(np.full(30, 0.25))
    assert (result.mean, result.low, result.high) == pytest.approx((0.25, 0.25, 0.25))
    assert result.as_json() == {"mean": 0.25, "low": 0.25, "high": 0.25}
    with pytest.raises(ValueError, match="no person"):
        bootstrap(np.array([]))


@pytest.mark.parametrize("seed", range(8))
def test_bounds_of_many_persons_do_not_hang_on_the_seed(seed: int) -> None:
    persons, quantile = 20_001, 2.5758  # of 99 %, from a table of the normal distribution
    values = np.random.default_rng(3).normal(size=persons)
    error = values.std() / np.sqrt(persons)
    result = bootstrap(values, seed, level=0.99)
    assert (result.high - result.mean) / error == pytest.approx(quantile, rel=0.08)
    assert (result.mean - result.low) / error == pytest.approx(quantile, rel=0.08)


def test_metrics_of_many_persons_are_drawn_together() -> None:
    luck = np.random.default_rng(3)
    base = luck.normal(size=30_000)
    values = {"first": base, "second": base + luck.normal(scale=0.1, size=30_000)}
    drawn = resampled_means(values)
    gain = estimate(0.0, drawn["second"] - drawn["first"])
    assert gain.high - gain.low == pytest.approx(2 * 1.96 * 0.1 / np.sqrt(30_000), rel=0.08)


@pytest.mark.parametrize("k", [1, 3, 30, 250])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_items_are_those_of_a_sorted_row(k: int, seed: int) -> None:
    """Ties, masked items, −∞ and NaN among 240 items, for lists that are kept sorted and for lists that are sorted once."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(-4, 5, (6, 240)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.1] = -np.inf
    scores[rng.random(scores.shape) < 0.1] = np.nan
    scores[5] = np.nan
    masked = sparse.random(6, 240, 0.3, format="csr", random_state=seed)
    before = scores.copy()
    for mask in (None, masked):
        result = top_k(scores, k, mask)
        hidden = np.zeros(scores.shape, dtype=bool) if mask is None else mask.toarray() > 0
        for row in range(6):
            shown = [item for item in range(240) if scores[row, item] > -np.inf and not hidden[row, item]]
            best = sorted(shown, key=lambda item: (-scores[row, item], item))[:k]
            assert result[row].tolist() == best + [-1] * (min(k, 240) - len(best))
    np.testing.assert_array_equal(scores, before)
