"""Boundaries of the time split, in worked instants; what a test set holds."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from models.algorithms.popularity import Popularity
from models.data import split
from models.data.interactions import Interactions
from models.data.split import SplitWindow, TooShort, last_active_days
from models.evaluation.time_split import NobodyToTest, evaluate_model, make_test_set

CUT, TEST_FROM, END = (np.datetime64(f"2026-09-{day}") for day in ("08", "09", "16"))
WINDOW = SplitWindow(CUT, TEST_FROM, END)

# occurred, known, training, test
BOUNDARIES = [
    ("2026-09-07T23:59:59.999999", "2026-09-07T23:59:59.999999", True, False),  # the last microsecond of training
    ("2026-09-07T12:00", "2026-09-08T00:00", False, False),  # known at the cut: too late to learn from
    ("2026-09-08T00:00", "2026-09-08T00:00", False, False),  # at the cut: in the gap
    ("2026-09-08T23:59:59.999999", "2026-09-09T00:00", False, False),  # the last microsecond of the gap
    ("2026-09-09T00:00", "2026-09-09T00:00", False, True),  # the first instant of the test
    ("2026-09-09T00:00", "2026-09-20T00:00", False, True),  # a test act may be known at any time
    ("2026-09-15T23:59:59.999999", "2026-09-16T00:00", False, True),
    ("2026-09-16T00:00", "2026-09-16T00:00", False, False),  # the end is outside
]


@pytest.mark.parametrize(("occurred", "known", "is_training", "is_test"), BOUNDARIES)
def test_boundaries(occurred: str, known: str, is_training: bool, is_test: bool) -> None:
    at, known_at = np.array([occurred], dtype="datetime64[us]"), np.array([known], dtype="datetime64[us]")
    assert WINDOW.is_training(at, known_at).tolist() == [is_training]
    assert WINDOW.is_test(at).tolist() == [is_test]


def test_the_example_in_the_module_is_true() -> None:
    assert doctest.testmod(split) == doctest.TestResults(failed=0, attempted=6)


def test_days_with_payments_are_counted_not_calendar_days() -> None:
    # Fourteen paying days with a pause before the last two; several payments a day count once.
    days = [f"2026-09-{day:02}T10:00" for day in range(1, 13)] + ["2026-09-25T23:59", "2026-09-25T00:01", "2026-09-30T12:00"]
    result = last_active_days(np.array(days, dtype="datetime64[us]"))
    assert result == SplitWindow(np.datetime64("2026-09-07"), np.datetime64("2026-09-08"), np.datetime64("2026-10-01"))
    two = last_active_days(np.array(days, dtype="datetime64[us]"), test_days=2, gap_days=3)
    assert (two.cut, two.test_from) == (np.datetime64("2026-09-22"), np.datetime64("2026-09-25"))


def test_a_short_history_is_refused() -> None:
    days = np.arange("2026-09-01", "2026-09-14", dtype="datetime64[D]").astype("datetime64[us]")
    with pytest.raises(TooShort, match="only 13 days with payments; 14"):
        last_active_days(days)


@pytest.mark.parametrize(("cut", "test_from", "end"), [(TEST_FROM, CUT, END), (CUT, END, END), (CUT, END, TEST_FROM)])
def test_instants_out_of_order_are_refused(cut: np.datetime64, test_from: np.datetime64, end: np.datetime64) -> None:
    with pytest.raises(ValueError, match="cut <= test_from < end"):
        SplitWindow(cut, test_from, end)


def interactions(*rows: tuple[str, str, str, str, str]) -> Interactions:
    """Person, item, kind, occurred, known."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    persons, person = np.unique(columns[0], return_inverse=True)
    items, item = np.unique(columns[1], return_inverse=True)
    times = [column.astype("datetime64[us]") for column in columns[3:]]
    return Interactions(persons, items, person, item, columns[2], *times)


OLD, NEW = "2026-09-01T10:00", "2026-09-10T10:00"
SHOP = interactions(
    ("p", "i", "view", OLD, OLD),
    ("p", "i", "pay", NEW, NEW),
    ("p", "j", "pay", NEW, NEW),
    ("p", "new", "pay", NEW, NEW),  # nobody could recommend it: counts against every model
    ("q", "i", "view", OLD, "2026-09-12T00:00"),  # not known before the cut: q has no history
    ("q", "i", "pay", NEW, NEW),
    ("r", "j", "pay", OLD, OLD),
    ("r", "i", "view", NEW, NEW),  # only looked: nothing bought in the test interval
    ("s", "j", "pay", OLD, OLD),
    ("s", "j", "pay", NEW, NEW),
)


def test_test_customers_have_a_history_that_was_known_and_bought_afterwards() -> None:
    tests = make_test_set(SHOP, WINDOW)
    assert SHOP.item_ids.tolist() == ["i", "j", "new"]
    assert tests.histories.toarray() == pytest.approx(np.log1p([[1, 0, 0], [0, 5, 0]]))
    assert (tests.bought.toarray() > 0).tolist() == [[True, True, True], [False, True, False]]
    with pytest.raises(NobodyToTest):
        make_test_set(SHOP.where(SHOP.person == 1), WINDOW)


def test_only_new_items_leave_out_what_is_known_and_who_bought_nothing_new() -> None:
    tests = make_test_set(SHOP, WINDOW)
    model = Popularity().fit(tests.histories, np.array([3, 2, 1], dtype=np.float32))
    every = evaluate_model(model, tests, only_new=False)
    assert every.lists[:, :3].tolist() == [[0, 1, 2]] * 2
    assert every.values["recall@10"].tolist() == [1, 1]
    assert every.values["mrr@10"].tolist() == [1, 1 / 2]
    new = evaluate_model(model, tests, only_new=True)
    assert new.lists[:, :3].tolist() == [[1, 2, -1]]  # p without i; s bought only what it knew
    assert new.values["mrr@10"].tolist() == [1]


def test_acts_become_one_weight_that_grows_slowly() -> None:
    shop = interactions(*[("p", "i", "view", OLD, OLD)] * 3, ("p", "i", "pay", OLD, OLD), ("q", "j", "share", OLD, OLD))
    assert shop.matrix().toarray() == pytest.approx(np.log1p([[3 + 5, 0], [0, 2]]))
    assert shop.sales().tolist() == pytest.approx([1.03, 0])
