"""The table in memory ends where the online store would, in whatever order values come, and says when only that can tell."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.features import views
from jishi.features.newest import KeptRow
from serving.features.follower import FeatureFeed
from serving.features.online_store import OnlineReader, StoreUnread
from serving.features.reader import FeatureReader
from serving.features.table import BELIEVED_S, FeatureTable

ITEM, DAILY, LAST = "item_3600s_60s", "item_daily", "person_last_20"
SHOPS = ("a", "b")


def window(at_us: int, tie: int, count: int, until_ms: int | None = None) -> KeptRow:
    return KeptRow(at_us, tie, {"item_views_1h": count, "item_carts_1h": 1}, until_ms)


def last(known: list[tuple[int, str]], tie: int = 0) -> KeptRow:
    values = {"last_items": [item for _, item in known], "last_items_known_ms": [ms for ms, _ in known]}
    return KeptRow(known[0][0] * 1000, tie, values)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Stored:
    """A store that holds rows as given, and counts what it is asked for."""

    def __init__(self, rows: dict[tuple[str, str], KeptRow] | None = None) -> None:
        self.rows, self.asked, self.broken = rows or {}, [], False

    def read(self, shop_id: str, wanted: Any, keep: Any) -> None:
        if self.broken:
            raise StoreUnread("slow", "too slow")
        self.asked += [(view.name, list(keys)) for view, keys in wanted]
        keep({view.name: {key: self.rows.get((view.name, key)) for key in keys} for view, keys in wanted})


def reader_of(stored: Stored, *, follows: bool = True) -> tuple[FeatureReader, Clock]:
    clock = Clock()
    table = FeatureTable(now_s=clock, is_following=lambda: follows)
    return FeatureReader(table, stored, now_s=clock), clock  # type: ignore[arg-type]


PLACES = st.tuples(st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(PLACES, st.sampled_from("xy"), st.sampled_from(SHOPS), st.booleans()), max_size=12))
def test_of_each_key_the_largest_place_stays(written: list[tuple[tuple[int, int], str, str, bool]]) -> None:
    """The oracle sorts: of one key the first row of the largest place stays, whoever brought it."""
    table, expected = FeatureTable(), {}
    for number, (place, key, shop, is_stored) in enumerate(written):
        row = window(*place, number)
        if is_stored:
            table.put_stored(ITEM, shop, {key: row}, 0.0)
        else:
            table.put(ITEM, shop, key, row)
        expected.setdefault((shop, key), []).append(row)
    for (shop, key), rows in expected.items():
        newest = sorted(rows, key=lambda row: row.place, reverse=True)[0]  # stable: of equal ones the first
        assert table.look(ITEM, shop, [key])[0] == [newest]


@settings(max_examples=100, deadline=None)
@given(st.permutations([*range(6)]), st.lists(st.booleans(), min_size=6, max_size=6))
def test_last_items_of_topic_and_store_are_put_together(order: list[int], is_stored: list[bool]) -> None:
    acts = [(1000 + number, f"i{number % 4}") for number in range(8)]
    rows = [last(acts[begin:end][::-1], end) for begin, end in [(0, 3), (0, 8), (2, 6), (5, 7), (3, 8), (1, 2)]]
    table = FeatureTable()
    for place in order:
        if is_stored[place]:
            table.put_stored(LAST, "a", {"u:x": rows[place]}, 0.0)
        else:
            table.put(LAST, "a", "u:x", rows[place])
    [row], _ = table.look(LAST, "a", ["u:x"])
    assert row is not None
    assert list(zip(row.values["last_items_known_ms"], row.values["last_items"], strict=True)) == acts[::-1]


def test_a_window_of_the_topic_is_whole_and_history_is_not() -> None:
    stored = Stored({(LAST, "u:x"): last([(5, "old")])})
    reader, _ = reader_of(stored)
    reader.table.put(ITEM, "a", "i", window(1, 1, 7))
    reader.table.put(LAST, "a", "u:x", last([(9, "new")]))
    assert [row.values["item_views_1h"] for row in reader.rows(ITEM, "a", ["i"]) if row] == [7]
    assert stored.asked == []
    for _ in range(2):
        [row] = reader.rows(LAST, "a", ["u:x"])
        assert row is not None
        assert row.values["last_items"] == ["new", "old"]
    assert stored.asked == [(LAST, ["u:x"])]


def test_what_the_store_said_is_believed_for_a_while_nothing_too() -> None:
    stored = Stored({(DAILY, "i"): KeptRow(1, 0, {"orders_30d": 3, "units_30d": 4, "buyers_30d": 2, "views_30d": None})})
    reader, clock = reader_of(stored, follows=False)
    ask = lambda: reader.numbers([DAILY], "a", ["i", "none"], 0)  # noqa: E731
    for _ in range(2):
        np.testing.assert_array_equal(ask(), [[3, 4, 2, np.nan], [np.nan] * 4])
    assert stored.asked == [(DAILY, ["i", "none"])]
    stored.rows[DAILY, "none"] = KeptRow(1, 0, {"orders_30d": 9, "units_30d": 9, "buyers_30d": 9, "views_30d": 9})
    clock.now = BELIEVED_S
    assert ask()[1].tolist() == [9, 9, 9, 9]


def test_nothing_live_is_believed_while_the_topic_is_not_followed() -> None:
    stored = Stored()
    reader, _ = reader_of(stored, follows=False)
    reader.table.put(ITEM, "a", "i", window(1, 1, 7))
    for _ in range(2):
        reader.rows(ITEM, "a", ["i"])
    assert len(stored.asked) == 2


def test_a_slow_store_costs_what_it_would_have_told_and_nothing_else() -> None:
    stored = Stored()
    reader, _ = reader_of(stored)
    stored.broken = True
    reader.table.put(ITEM, "a", "i", window(1, 1, 7))
    values = reader.numbers([ITEM, DAILY], "a", ["i", "j"], 0)
    np.testing.assert_array_equal(values, [[7, 1, *[np.nan] * 4], [np.nan] * 6])
    assert reader.counts == {"table": 1, "store": 0, "untold": 3}
    with pytest.raises(StoreUnread):
        reader.rows(LAST, "a", ["u:x"])


def test_a_value_that_ran_out_is_not_there_and_needs_no_store() -> None:
    reader, _ = reader_of(stored := Stored())
    reader.table.put(ITEM, "a", "i", window(1, 1, 7, until_ms=10_000))
    assert reader.numbers([ITEM], "a", ["i"], 9_999)[0, 0] == 7
    assert np.isnan(reader.numbers([ITEM], "a", ["i"], 60_000)).all()
    assert stored.asked == []


def test_memory_is_bounded_and_what_is_asked_for_stays() -> None:
    table = FeatureTable(most_rows=100)
    table.put(ITEM, "small", "kept", window(1, 1, 1))
    for number in range(1_000):
        table.put(ITEM, "large", str(number), window(1, 1, 1))
        table.look(ITEM, "large", ["0"])
    assert len(table) <= 100
    assert table.look(ITEM, "small", ["kept"])[0] != [None]
    assert table.look(ITEM, "large", ["0"])[0] != [None]
    assert table.look(ITEM, "large", ["1"])[0] == [None]


def test_the_topic_feeds_live_views_alone_and_what_is_unreadable_is_counted() -> None:
    table = FeatureTable()
    topic = FeatureFeed(table)
    for view, members in views().items():
        values = {each.name: [] if each.value_type.startswith("list") else 1 for each in members}
        key = {"person_category": "p|c", "shop": "a"}.get(members[0].entity, "k")
        message = {"view": view, "shop_id": "a", "entity_id": key, "as_of_ms": 5, "values": values}
        topic.take(orjson.dumps(message), 3)
        [row], _ = table.look(view, "a", [key])
        assert (row is not None) == table.views[view].is_live
        assert row is None or row.place == (5_000, 3)
    topic.take(b"{", 4)
    topic.take(None, 5)
    assert topic.unreadable == 2


def test_a_store_is_open_once_it_is_there() -> None:
    store = OnlineReader()
    with pytest.raises(StoreUnread) as unread:
        store.read("a", [], lambda _: None)
    assert unread.value.outcome == "not_open"


def test_shuffled_messages_of_many_keys_end_alike() -> None:
    rng, messages = random.Random(7), []
    for number in range(300):
        values = {"item_views_1h": number, "item_carts_1h": number % 7}
        message = {
            "view": ITEM,
            "shop_id": rng.choice(SHOPS),
            "entity_id": f"i{rng.randrange(9)}",
            "as_of_ms": rng.randrange(20),
        }
        messages.append((number, orjson.dumps(message | {"values": values, "valid_until_ms": None})))
    ends = []
    for seed in range(4):
        random.Random(seed).shuffle(messages)
        table = FeatureTable()
        for offset, payload in messages:
            FeatureFeed(table).take(payload, offset)
        ends.append([table.look(ITEM, shop, [f"i{number}" for number in range(9)])[0] for shop in SHOPS])
    assert all(end == ends[0] for end in ends)
