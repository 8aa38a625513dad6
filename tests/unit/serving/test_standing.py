"""What the compiled passes say of items is what the definition says of one item at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.best_sellers import walk
from serving.standing import BEHIND, FRESH, OUT, Bars, heads, masks, standings

ITEMS = 90
SETS = st.sets(st.integers(0, ITEMS - 1), max_size=60)  # few are compared, many are looked up


def bars_of(unsellable: set[int], out: set[int], last: set[int], hidden: set[int], seen: set[int]) -> Bars:
    every = np.arange(ITEMS)
    sorted_numbers = (np.array(sorted(each), dtype=np.int64) for each in (hidden, seen))
    return Bars(~np.isin(every, list(unsellable)), np.isin(every, list(out)), np.isin(every, list(last)), *sorted_numbers)


def standing_of(number: int, unsellable: set[int], out: set[int], last: set[int], hidden: set[int], seen: set[int]) -> int:
    if number in unsellable or number in out or number in hidden:
        return OUT
    return BEHIND if number in last or number in seen else FRESH


@settings(max_examples=150, deadline=None)
@given(sets=st.tuples(SETS, SETS, SETS, SETS, SETS), numbers=st.lists(st.integers(0, ITEMS - 1), max_size=40))
def test_masks_and_standings_are_those_of_each_item(sets: Any, numbers: list[int]) -> None:
    unsellable, out, last, hidden, seen = sets
    bars, asked = bars_of(*sets), np.array(numbers, dtype=np.int64)
    assert standings(*bars, asked).tolist() == [standing_of(number, *sets) for number in numbers]
    is_sold, is_out, is_behind = masks(*bars, asked)
    assert is_sold.tolist() == [number not in unsellable for number in numbers]
    assert is_out.tolist() == [number in out | hidden for number in numbers]
    assert is_behind.tolist() == [number in last | seen for number in numbers]


@settings(max_examples=150, deadline=None)
@given(
    sets=st.tuples(SETS, SETS, SETS, SETS, SETS),
    order=st.permutations(range(ITEMS)),
    most=st.integers(1, 12),
    reach=st.integers(1, 100),
)
def test_the_way_down_an_order_is_the_one_that_asks_in_batches(sets: Any, order: list[int], most: int, reach: int) -> None:
    bars, every = bars_of(*sets), np.array(order, dtype=np.int64)
    taken, is_whole = heads(*bars, every, np.array([[0, ITEMS]]), most, reach)
    expected, expected_whole = walk(every, lambda numbers: standings(*bars, numbers), most, reach)
    fresh = [number for number in taken.tolist() if standing_of(number, *sets) == FRESH]
    assert fresh == [number for number in expected.tolist() if standing_of(number, *sets) == FRESH]
    assert set(taken.tolist()) <= set(expected.tolist()), "batches look a little further"
    assert not is_whole or expected_whole
