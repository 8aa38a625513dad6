"""Who teaches the rankers of a large shop."""

from __future__ import annotations

import numpy as np
import pytest

from models.data.interactions import Interactions
from models.training.teachers import sample_of


def acts_of(counts: list[int]) -> Interactions:
    """So many acts of each person."""
    person = np.repeat(np.arange(len(counts)), counts)
    at = np.datetime64("2026-11-01", "us") + np.arange(len(person)) * np.timedelta64(1, "s")
    ids = (np.array([f"u:{n:04}" for n in range(len(counts))]), np.array(["i0", "i1"]))
    return Interactions(*ids, person, person % 2, np.full(len(person), "view"), at, at)


def test_all_teach_in_a_small_shop() -> None:
    acts = acts_of([3] * 20)
    assert sample_of(acts, 20, 60) is acts


@pytest.mark.parametrize(("most_persons", "most_acts"), [(100, 10_000), (2_000, 900), (50, 300)])
def test_a_large_shop_has_as_many_teachers_as_are_allowed_with_all_their_acts(most_persons: int, most_acts: int) -> None:
    acts = acts_of([1, 2, 3] * 300)
    sample = sample_of(acts, most_persons, most_acts)
    assert len(sample.person_ids) <= most_persons
    assert most_acts - 3 <= len(sample) <= most_acts or len(sample.person_ids) == most_persons
    assert (np.diff(sample.person) >= 0).all()
    assert sample.item_ids is acts.item_ids
    for number, person_id in enumerate(sample.person_ids.tolist()):
        before = int(person_id[2:])
        assert (sample.occurred_at[sample.person == number] == acts.occurred_at[acts.person == before]).all()


def test_a_smaller_sample_is_part_of_a_larger_one_and_of_tomorrows() -> None:
    larger = sample_of(acts_of([3] * 900), 300, 10_000).person_ids
    smaller = sample_of(acts_of([3] * 900), 100, 10_000).person_ids
    assert set(smaller) < set(larger)
    tomorrow = sample_of(acts_of([3] * 910), 300, 10_000).person_ids
    assert len(set(tomorrow) & set(larger)) >= 290


def test_a_robot_is_not_the_sample() -> None:
    counts = [3] * 900
    for robot in (5, 77):
        counts[robot] = 4_000
    sample = sample_of(acts_of(counts), 900, 2_000)
    assert not {"u:0005", "u:0077"} & set(sample.person_ids)
    assert len(sample) > 1_900
