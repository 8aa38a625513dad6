"""Ids in flat memory answer as a list and a dict of the same strings do."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.release import ids as module
from models.release.ids import Ids, RepeatedId

TEXT = st.text(max_size=12)  # from surrogates on hypothesis makes none of these: Arrow has only whole characters


@given(st.lists(TEXT, unique=True, max_size=60), st.lists(TEXT, max_size=20))
def test_they_are_a_list_and_its_dict(kept: list[str], others: list[str]) -> None:
    ids, number_of = Ids.of(kept), {each: number for number, each in enumerate(kept)}
    assert (len(ids), list(ids), [ids[number] for number in range(len(kept))]) == (len(kept), kept, kept)
    assert ids[::2] == kept[::2]
    for each in [*kept, *others]:
        assert ids.numbers.get(each) == number_of.get(each)
        assert (each in ids.numbers) == (each in number_of)
    assert dict(ids.numbers) == number_of
    assert ids.numbers.of_all([*kept, *others]) == [number_of.get(each, -1) for each in (*kept, *others)]


@given(st.lists(TEXT, min_size=1, max_size=40, unique=True), st.data())
def test_an_id_that_is_there_twice_is_refused_by_name(kept: list[str], data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(kept))
    with pytest.raises(RepeatedId) as refused:
        Ids.of([*kept, again])
    assert repr(again) in str(refused.value)


def test_a_part_of_an_array_is_numbered_from_its_own_beginning() -> None:
    ids = Ids(pa.array(["a", "bb", "ccc", "dddd"]).slice(1, 2))
    assert (list(ids), ids[0], ids[1], ids.numbers.get("ccc"), ids.numbers.get("a")) == (["bb", "ccc"], "bb", "ccc", 1, None)


def test_what_is_no_text_is_not_there() -> None:
    numbers = Ids.of(["a", "", "é"]).numbers
    assert ("\ud800" in numbers, "\udce9" in numbers, 1 in numbers, numbers.get("")) == (False, False, False, 1)
    with pytest.raises(KeyError, match="b"):
        numbers["b"]


def test_a_number_that_no_id_has_is_an_error() -> None:
    ids = Ids.of(["a", "b"])
    assert (ids[-1], ids[-2]) == ("b", "a")
    for number in (2, -3):
        with pytest.raises(IndexError, match="there are 2 ids"):
            ids[number]


def test_ids_that_fall_on_one_place_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four places for two ids each: with more ids than places of their own, most are found further on."""
    many = [f"{number:03}" for number in range(500)]
    monkeypatch.setattr(module.secrets, "randbelow", lambda _: 1 - 2**16)  # a key of 1: a sum of letters
    numbers = Ids.of(many).numbers
    assert [numbers[each] for each in many] == list(range(500))
    assert numbers.get("500") is None


def test_of_other_processes_nobody_knows_the_places() -> None:
    assert Ids.of(["a"])._key != Ids.of(["a"])._key
