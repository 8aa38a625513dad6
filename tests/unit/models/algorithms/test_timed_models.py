"""One behavioural contract for every timed model, and the formula of each by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from models.algorithms.buy_again import BuyAgain
from models.algorithms.recommender import NotFitted, top_k
from models.algorithms.timed_model import TimedModel
from models.algorithms.trending import Trending
from models.algorithms.windowed_popularity import WindowedPopularity
from models.data.interactions import Interactions
from models.data.snapshot import Goods, Snapshot, nothing_known, snapshot_at, usual_prices
from models.lab.new_and_on_sale import New, OnSale
from models.lab.segment_popularity import SegmentPopularity, favourite_category
from models.lab.timed_models import TIMED_MODELS, make_timed
from models.release.artefact import load_state, read_manifest, save

NOW = np.datetime64("2026-10-01T00:00:00", "us")
Make = Callable[[], TimedModel]


def days_ago(*days: float) -> np.ndarray:
    return NOW - (np.array(days) * 86_400e6).astype("timedelta64[us]")


def acts(rows: list[tuple[int, int, str, float]], persons: int, items: int) -> Interactions:
    """Rows of person, item, kind, days ago."""
    at = days_ago(*(row[3] for row in rows))
    columns = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    names = np.array([f"p{n}" for n in range(persons)]), np.array([f"i{n}" for n in range(items)])
    return Interactions(*names, *columns, np.array([row[2] for row in rows], dtype=np.str_), at, at)


def moment(rows: list[tuple[int, int, str, float]], persons: int = 4, items: int = 3, **goods: Any) -> Snapshot:
    facts = vars(nothing_known(items)) | goods
    segment = facts.pop("segment", np.full(persons, -1, dtype=np.int64))
    return snapshot_at(acts(rows, persons, items), Goods(**facts), NOW, segment)


def busy(persons: int = 30, items: int = 8, seed: int = 1) -> Snapshot:
    """A shop with repeats, prices, new items and two segments."""
    rng = np.random.default_rng(seed)
    rows = [
        (
            int(rng.integers(persons)),
            int(rng.integers(items)),
            str(rng.choice(["view", "add", "pay"])),
            float(rng.uniform(0.1, 60)),
        )
        for _ in range(600)
    ]
    return moment(
        rows,
        persons,
        items,
        category=np.arange(items) % 3,
        listed_at=days_ago(*np.linspace(1, 70, items)),
        price=np.linspace(50, 100, items),
        reference_price=np.full(items, 90.0),
        segment=np.arange(persons) % 2,
    )


@pytest.fixture(params=list(TIMED_MODELS))
def fresh(request: pytest.FixtureRequest) -> Make:
    return lambda: make_timed(request.param)


def test_scores_are_finite_and_above_zero_somewhere(fresh: Make) -> None:
    result = fresh().fit(busy()).score(busy())
    assert result.shape == (30, 8)
    assert np.isfinite(result).all()
    assert (result >= 0).all()
    assert result.any()


def test_a_person_without_acts_gets_finite_scores_and_a_full_list(fresh: Make) -> None:
    stranger = moment([], persons=1, items=8)
    result = fresh().fit(busy()).score(stranger)
    assert np.isfinite(result).all()
    assert sorted(top_k(result, 8)[0]) == list(range(8))


def test_a_shop_without_acts_is_answered(fresh: Make) -> None:
    empty = moment([], persons=2, items=1)
    assert np.isfinite(fresh().fit(empty).score(empty)).all()


def test_same_input_same_scores_and_fit_touches_no_parameter(fresh: Make) -> None:
    model = fresh()
    before = copy.deepcopy({name: value for name, value in vars(model).items() if not name.endswith("_")})
    one = model.fit(busy()).score(busy())
    assert {name: value for name, value in vars(model).items() if not name.endswith("_")} == before
    assert np.array_equal(one, fresh().fit(busy()).score(busy()))
    assert np.array_equal(one, model.fit(busy()).score(busy()))


def test_scores_follow_the_person_not_its_place(fresh: Make) -> None:
    result = fresh().fit(busy())
    some = np.array([3, 4, 17])
    assert np.array_equal(result.score(busy().of(some)), result.score(busy())[some])


def test_the_order_of_acts_does_not_matter(fresh: Make) -> None:
    one = busy()
    order = np.random.default_rng(2).permutation(len(one.acts))
    other = Snapshot(one.acts.where(order), one.goods, one.as_of, one.segment)
    np.testing.assert_allclose(fresh().fit(one).score(one), fresh().fit(other).score(other), rtol=1e-6)


def test_a_saved_model_scores_the_same(fresh: Make, tmp_path: Path) -> None:
    model = fresh().fit(busy())
    save(tmp_path, {"model": model.state()}, {}, {})
    loaded = fresh().from_state(load_state(tmp_path, read_manifest(tmp_path), "model"))
    np.testing.assert_allclose(loaded.score(busy()), model.score(busy()), rtol=1e-6)


def test_another_number_of_items_is_refused(fresh: Make) -> None:
    with pytest.raises(ValueError, match="items"):
        fresh().fit(busy()).score(busy(items=9))


def test_an_unfitted_model_says_so(fresh: Make) -> None:
    with pytest.raises(NotFitted):
        fresh().score(busy())
    with pytest.raises(NotFitted):
        fresh().state()


def test_the_future_is_refused_and_left_out_by_moment_at() -> None:
    rows = [(0, 0, "pay", -1.0), (0, 1, "pay", 1.0)]
    later = acts(rows, 1, 2)
    with pytest.raises(ValueError, match="future"):
        Snapshot(later, nothing_known(2), NOW, np.array([-1]))
    assert snapshot_at(later, nothing_known(2), NOW).acts.item.tolist() == [1]
    known_late = acts([(0, 1, "pay", 1.0)], 1, 2)
    known_late.known_at[0] = NOW
    assert len(snapshot_at(known_late, nothing_known(2), NOW).acts) == 0


def test_windowed_popularity_counts_sales_of_the_window() -> None:
    rows = [(0, 0, "pay", 2.0), (1, 0, "pay", 5.0), (2, 1, "pay", 30.0), (0, 1, "pay", 40.0), (0, 2, "view", 1.0)]
    assert WindowedPopularity(days=14).fit(moment(rows)).state()["strength"].tolist() == pytest.approx([2, 0, 0.01])


def test_trending_is_the_smoothed_ratio_of_short_to_expected() -> None:
    """Weights: view 1, pay 5. Item 0: 6 lately of 6 in all; item 1: 1 of 29; item 2: nothing lately."""
    rows = [(0, 0, "pay", 1.0), (0, 0, "view", 2.0), (1, 1, "view", 1.0), *[(1, 1, "view", 10.0 + n / 10) for n in range(28)]]
    result = Trending(short_days=3, long_days=28, smoothing=2).fit(moment([*rows, (2, 2, "pay", 9.0)])).state()["strength"]
    assert result.tolist() == pytest.approx([(6 + 2) / (6 * 3 / 28 + 2), (1 + 2) / (29 * 3 / 28 + 2), 0])


def test_new_items_come_newest_first_and_old_and_unknown_ones_not_at_all() -> None:
    result = New(days=10).fit(moment([], listed_at=np.array([*days_ago(1, 12), np.datetime64("NaT")]))).state()["strength"]
    assert result.tolist() == pytest.approx([0.9, 0, 0])


def test_on_sale_is_the_cut_below_the_usual_price() -> None:
    goods = {"price": np.array([80.0, 97.0, np.nan]), "reference_price": np.array([100.0, 100.0, 100.0])}
    assert OnSale(least=0.05).fit(moment([], **goods)).state()["strength"].tolist() == pytest.approx([0.2, 0, 0])


def test_the_usual_price_is_the_median_weighted_by_time() -> None:
    """Item 0 cost 100 for 20 of 28 days, then 70; item 1 has cost 10 for a day, and 12 before; item 2 is unknown."""
    at = days_ago(60, 8, 40, 1, -1)
    result = usual_prices(np.array([0, 0, 1, 1, 1]), at, np.array([100.0, 70.0, 12.0, 10.0, 99.0]), 3, NOW)
    assert result[:2].tolist() == [100, 12]
    assert np.isnan(result[2])


def test_a_segment_is_drawn_towards_the_shop() -> None:
    """Segment 0 bought item 0 twice, segment 1 item 1 once: the shop's shares are 2/3 and 1/3."""
    rows = [(0, 0, "pay", 1.0), (1, 0, "pay", 2.0), (2, 1, "pay", 3.0)]
    model = SegmentPopularity(prior=3).fit(moment(rows, segment=np.array([0, 0, 1, -1])))
    result = model.score(moment(rows, segment=np.array([0, 1, -1, 7])))
    assert result[0].tolist() == pytest.approx([(2 + 2) / 5, 1 / 5, 0])
    assert result[1].tolist() == pytest.approx([2 / 4, (1 + 1) / 4, 0])
    assert result[2].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert result[3].tolist() == pytest.approx([2 / 3, 1 / 3, 0])


def test_the_favourite_category_is_where_a_persons_acts_weigh_most() -> None:
    rows = [(0, 0, "view", 1.0), (0, 2, "pay", 2.0), (1, 1, "view", 3.0)]
    assert favourite_category(moment(rows, category=np.array([5, 5, 2]))).tolist() == [2, 5, -1, -1]
    assert favourite_category(moment(rows)).tolist() == [-1] * 4


def test_what_is_due_comes_before_what_was_just_bought_and_what_was_given_up() -> None:
    """Three persons buy item 0 every ten days; the last purchase was 1, 9 and 100 days ago."""
    rows = [(p, 0, "pay", last + 10.0 * n) for p, last in enumerate((1.0, 9.0, 100.0)) for n in range(5)]
    result = BuyAgain().fit(moment(rows)).score(moment(rows))[:, 0]
    assert result[1] > result[0] > result[2]
    assert result[3] == 0


def test_the_own_rhythm_outweighs_that_of_the_item() -> None:
    weekly = [(0, 0, "pay", 6.0 + 7.0 * n) for n in range(6)]
    monthly = [(p, 0, "pay", 6.0 + 30.0 * n) for p in (1, 2, 3) for n in range(4)]
    result = BuyAgain().fit(moment(weekly + monthly)).score(moment(weekly + monthly))[:, 0]
    assert result[0] > 3 * result[1]


def test_the_chance_of_buying_again_by_hand() -> None:
    """One person, item 0 bought 20 and 10 days ago; h = 7, one own gap of 10 days, and no other."""
    rows = [(0, 0, "pay", 10.0), (0, 0, "pay", 20.0), (1, 1, "pay", 3.0)]
    model = BuyAgain(horizon_days=7, person_prior=1, item_prior=5, spread=0.6)
    result = model.fit(moment(rows)).score(moment(rows))
    survived = norm.sf(0.0)
    due = 1 - norm.sf(np.log(17 / 10) / 0.6) / survived
    again = (1 + 5 * (1 / 3)) / (2 + 5)  # one of three purchases of the shop was followed by another
    next_one = (1 + 5 * again) / (2 + 5)
    assert result[0, 0] == pytest.approx(due * next_one * survived / (next_one * survived + 1 - next_one), rel=1e-5)


def test_two_orders_within_half_a_day_are_one_purchase() -> None:
    once, twice = [(0, 0, "pay", 5.0)], [(0, 0, "pay", 5.0), (0, 0, "pay", 5.1)]
    model = BuyAgain().fit(moment(once))
    assert np.allclose(model.score(moment(once)), model.score(moment(twice)), rtol=0.05)
