"""A store that is slow, broken or absent costs a rung and is counted; it never costs the answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from serving.features.online_store import READERS, OnlineReader
from serving.features.reader import FeatureReader
from serving.features.views import GRACE_MS, holds
from serving.recent import KNOWN_MS, LAST_ITEMS, Recent


class StoredAnswer:
    """Answers like Feast's response."""

    def __init__(
        self,
        items: list[list[str] | None],
        valid_until_ms: list[int | None],
        known_ms: list[list[int] | None] | None = None,
        as_of_ms: list[int] | None = None,
    ) -> None:
        times = known_ms or [None] * len(items)
        self._values = {LAST_ITEMS.name: items, KNOWN_MS.name: times, "valid_until_ms": valid_until_ms}
        self._values["log_offset"] = [0] * len(items)
        stamps = [SimpleNamespace(ToMicroseconds=lambda at=at: 1000 * at) for at in as_of_ms or [0] * len(items)]
        self.proto = SimpleNamespace(
            metadata=SimpleNamespace(feature_names=SimpleNamespace(val=[LAST_ITEMS.name])),
            results=[SimpleNamespace(event_timestamps=stamps)],
        )

    def to_dict(self) -> dict[str, Any]:
        return self._values


class Store:
    """Gives what it was made with, after ``gate`` opens."""

    def __init__(self, answer: Any, gate: threading.Event | None = None) -> None:
        self.answer, self.gate, self.asked = answer, gate, []

    def get_online_features(self, features: Any, entity_rows: Any, full_feature_names: bool = False) -> Any:
        self.asked.append(entity_rows)
        if self.gate is not None:
            self.gate.wait(10)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def items_of(recent: Recent, shop_id: str, persons: list[str]) -> list[str]:
    return [act.item_id for act in recent.last_acts(shop_id, persons)]


def test_an_act_is_as_old_as_the_newest_id_says() -> None:
    recent = Recent(now_ms=lambda: 10_000)
    recent.use(Store(StoredAnswer([["a", "b"], ["b"]], [None, None], [[9_000, 2_000], [7_500]])))
    assert recent.last_acts("s", ["u:x", "a:d"]) == [("a", 1.0), ("b", 2.5)]


def test_last_items_survive_a_login_and_the_shop_is_part_of_the_key() -> None:
    recent = Recent()
    store = Store(StoredAnswer([["after", "last month"], ["before", "just before"]], [None, None], [[900, 1], [800, 700]]))
    recent.use(store)
    assert items_of(recent, "a", ["u:x", "a:d"]) == ["after", "before", "just before", "last month"]
    assert store.asked == [[{"shop_id": "a", "person_id": "u:x"}, {"shop_id": "a", "person_id": "a:d"}]]
    assert items_of(recent, "a", ["u:x"]) == []  # the store answers two rows to one id: a fault, counted and no error
    assert recent.health.reads == {"found": 1, "empty": 0, "slow": 0, "busy": 0, "failed": 1, "not_open": 0}


def test_an_item_that_was_looked_at_twice_is_there_once() -> None:
    recent = Recent()
    recent.use(Store(StoredAnswer([["a", "b", "a"], ["b", "c"]], [None, None], [[9, 7, 1], [8, 2]])))
    assert items_of(recent, "s", ["u:x", "a:d"]) == ["a", "b", "c"]


def test_values_of_an_earlier_version_have_no_times_and_come_last() -> None:
    recent = Recent()
    recent.use(Store(StoredAnswer([["old"], ["new"]], [None, None], [None, [5]])))
    assert items_of(recent, "a", ["u:x", "a:d"]) == ["new", "old"]


def test_what_has_no_times_is_as_old_as_its_value_and_fades_no_faster() -> None:
    day_ms = 86_400_000
    recent = Recent(now_ms=lambda: 20 * day_ms)
    recent.use(
        Store(StoredAnswer([["a", "b"], ["b", "c"]], [None, None], [None, [19 * day_ms, 1]], [18 * day_ms, 19 * day_ms]))
    )
    assert recent.last_acts("s", ["u:x", "a:d"]) == [("b", 86_400.0), ("c", 20 * 86_400 - 0.001), ("a", 2 * 86_400.0)]


def test_nobody_asks_for_nobody() -> None:
    store = Store(StoredAnswer([], []))
    recent = Recent()
    recent.use(store)
    assert items_of(recent, "a", []) == []
    assert store.asked == []


def test_an_absent_store_is_counted() -> None:
    recent = Recent()
    assert items_of(recent, "a", ["u"]) == []
    assert recent.health.reads["not_open"] == 1
    assert recent.health.problem


@pytest.mark.parametrize("error", [OSError("disk"), RuntimeError("locked"), KeyError("view")])
def test_a_broken_store_is_counted_and_recovers(error: Exception) -> None:
    store = Store(error)
    recent = Recent()
    recent.use(store)
    assert items_of(recent, "a", ["u"]) == []
    assert recent.health.reads["failed"] == 1
    assert type(error).__name__ in (recent.health.problem or "")
    store.answer = StoredAnswer([["i1"]], [None])
    assert items_of(recent, "a", ["u"]) == ["i1"]
    assert recent.health.problem is None


def test_a_hanging_store_holds_up_one_request_once() -> None:
    gate = threading.Event()
    store = Store(StoredAnswer([["i1"]], [None]), gate)
    recent = Recent(FeatureReader(store=OnlineReader(budget_s=0.01)))
    recent.use(store)
    assert [items_of(recent, "a", ["u"]) for _ in range(5)] == [[]] * 5
    assert len(store.asked) == 1
    assert recent.health.reads["slow"] == 5
    gate.set()
    deadline = threading.Event()
    for _ in range(500):
        if items_of(recent, "a", ["u"]) == ["i1"]:
            break
        deadline.wait(0.01)
    assert recent.health.problem is None


def test_nobody_is_queued_behind_a_slow_store() -> None:
    """Requests that come at once are read for at once; those that find no reader free are answered while the others wait."""
    gate, asked = threading.Event(), 3 * READERS
    store = Store(StoredAnswer([["i1"]], [None]), gate)
    recent = Recent(FeatureReader(store=OnlineReader(budget_s=10)))
    recent.use(store)
    with ThreadPoolExecutor(asked) as requests:
        answers = [requests.submit(items_of, recent, "a", [f"u{number}"]) for number in range(asked)]
        refused = threading.Event()
        for _ in range(500):
            if sum(answer.done() for answer in answers) == asked - READERS:
                break
            refused.wait(0.01)
        assert [answer.result() for answer in answers if answer.done()] == [[]] * (asked - READERS)
        gate.set()
    assert sum(answer.result() == ["i1"] for answer in answers) == READERS == len(store.asked)
    assert (recent.health.reads["found"], recent.health.reads["busy"]) == (READERS, asked - READERS)
    assert items_of(recent, "a", ["later"]) == ["i1"]
    assert recent.health.problem is None


def test_a_burst_at_a_store_that_is_not_slow_costs_no_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.features.online_store.TURN_S", 5.0)  # however busy this machine is
    recent = Recent(FeatureReader(store=OnlineReader(budget_s=10)))
    recent.use(Store(StoredAnswer([["i1"]], [None])))
    with ThreadPoolExecutor(4 * READERS) as requests:
        answers = list(requests.map(lambda number: items_of(recent, "a", [f"u{number}"]), range(20 * READERS)))
    assert answers == [["i1"]] * len(answers)


def test_a_value_holds_until_its_end_and_a_little_longer() -> None:
    assert holds(None, 10**15)
    assert holds(1_000, 999)
    assert holds(1_000, 1_000 + GRACE_MS - 1)
    assert not holds(1_000, 1_000 + GRACE_MS)
