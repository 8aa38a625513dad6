"""Rows of one running value end in the same row in whatever order they come, and none takes back what another one knew."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Int64List, StringList, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.monotonic import Row
from feature_repo.running_merge import merged_row
from jishi.features import views
from jishi.features.columns import LOG_OFFSET
from jishi.features.newest import is_merged

LAST = views()["person_last_5_category"]
FIRST = views()["person_first_seen_at_ms"]
KEY = EntityKey(join_keys=["shop_id"], entity_values=[Value(string_val="s")])


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def row(entries: list[tuple[int, str]], offset: int = 0) -> Row:
    """A row as the stream sends it: entries newest first, known as of the newest."""
    values = {
        "last_categories": Value(string_list_val=StringList(val=[entry for _, entry in entries])),
        "last_categories_known_ms": Value(int64_list_val=Int64List(val=[known_ms for known_ms, _ in entries])),
        LOG_OFFSET: Value(int64_val=offset),
    }
    return KEY, values, at(entries[0][0]), None


def written(members: Any, rows: list[Row]) -> Any:
    """What the store holds after the rows; a store refuses a place that is not newer, which must not be needed."""
    held: Any = (None, None)
    for new in rows:
        merged = merged_row(members, held, new)
        if merged is not None:
            place = (merged[2], merged[1][LOG_OFFSET].int64_val)
            assert held == (None, None) or place > (held[0], held[1][LOG_OFFSET].int64_val)
            held = (merged[2], merged[1])
    return held


def entries_of(held: Any) -> list[tuple[int, str]]:
    values = held[1]
    return list(
        zip(values["last_categories_known_ms"].int64_list_val.val, values["last_categories"].string_list_val.val, strict=True)
    )


# Each act is known at a time of its own, so that there is one right order.
ACTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=9)


@settings(max_examples=200, deadline=None)
@given(ACTS, st.data())
def test_any_order_of_any_senders_ends_in_the_last_entries_of_all(acts: list[str], data: st.DataObject) -> None:
    """A sender knows the acts from some instant on, and sends its list after each."""
    known = [(1000 + number, act) for number, act in enumerate(acts)]
    rows = []
    for sender in range(data.draw(st.integers(1, 3))):
        begins = 0 if sender == 0 else data.draw(st.integers(0, len(known) - 1))
        sent = [*data.draw(st.lists(st.integers(begins + 1, len(known)), max_size=4)), len(known)]
        rows += [row(known[begins:end][::-1][:5], offset=end if sender else 0) for end in sent]
    shuffled = data.draw(st.permutations(rows))
    assert entries_of(written(LAST, shuffled)) == known[::-1][:5]


def test_two_acts_of_one_millisecond_and_item_stay_two() -> None:
    both = row([(7, "a"), (7, "a"), (3, "b")], offset=2)
    one = row([(7, "a"), (3, "b")], offset=1)
    for rows in permutations([both, one, both]):
        assert entries_of(written(LAST, list(rows))) == [(7, "a"), (7, "a"), (3, "b")]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_first_instant_stays_when_a_shorter_log_is_played_again(order: tuple[int, int]) -> None:
    rows = [
        (KEY, {"first_seen_at_ms": Value(int64_val=ms), LOG_OFFSET: Value(int64_val=0)}, at(known), None)
        for ms, known in ((5, 10), (8, 9_000))
    ]
    held = written(FIRST, [rows[number] for number in order])
    assert (held[1]["first_seen_at_ms"].int64_val, held[0]) == (5, at(9_000))


def test_what_says_nothing_new_is_not_written() -> None:
    known = row([(7, "a"), (3, "b")], offset=4)
    held = (known[2], known[1])
    assert merged_row(LAST, held, row([(3, "b")], offset=1)) is None
    assert merged_row(LAST, held, known) is None


def test_windows_are_whole_by_themselves() -> None:
    assert {view for view, members in views().items() if is_merged(members)} == {
        "person_last_20",
        "person_last_5_category",
        "person_first_seen_at_ms",
    }
