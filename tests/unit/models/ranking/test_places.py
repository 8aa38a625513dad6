"""An item is found among the candidates where it stands, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ranking.places import index_of, place_of


@settings(max_examples=200, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 2**40), max_size=60, unique=True),
    others=st.lists(st.integers(0, 2**40), max_size=20),
    step=st.sampled_from([1, 500, 1024, 2**20]),
)
def test_each_number_is_found_at_its_place_and_no_other_one_is(numbers: list[int], others: list[int], step: int) -> None:
    """Numbers of one category are often the same distance apart: whole multiples of it are asked for, too."""
    candidates = np.array(numbers, dtype=np.int64) * step
    slots = index_of(candidates)
    assert [place_of(slots, candidates, number) for number in candidates] == list(range(len(numbers)))
    unknown = set(others) - set(candidates.tolist())
    assert all(place_of(slots, candidates, number) == -1 for number in unknown)


@pytest.mark.parametrize("step", [1, 500, 1024, 2**20])
def test_the_table_is_at_most_half_full_and_hardly_anything_is_pushed_far(step: int) -> None:
    candidates = np.arange(400, dtype=np.int64) * step
    slots = index_of(candidates)
    assert len(slots) >= 2 * len(candidates)
    taken = np.flatnonzero(slots >= 0)
    runs = np.split(taken, np.flatnonzero(np.diff(taken) > 1) + 1)
    assert max(map(len, runs)) <= 32
