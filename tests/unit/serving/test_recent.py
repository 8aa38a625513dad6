"""A store that is slow, broken or absent costs a rung and is counted; it never costs the answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from serving.recent import GRACE_MS, LAST_ITEMS, Recent, holds


class StoredAnswer:
    """Answers like Feast's response."""

    def __init__(self, items: list[list[str] | None], valid_until_ms: list[int | None]) -> None:
        self._values = {LAST_ITEMS.name: items, "valid_until_ms": valid_until_ms}

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


def test_the_first_id_that_has_items_wins_and_the_shop_is_part_of_the_key() -> None:
    store = Store(StoredAnswer([None, ["i2", "i1"]], [None, None]))
    recent = Recent()
    recent.use(store)
    assert recent.last_items("a", ["u", "anon"]) == ["i2", "i1"]
    assert store.asked == [[{"shop_id": "a", "person_id": "u"}, {"shop_id": "a", "person_id": "anon"}]]


def test_nobody_asks_for_nobody() -> None:
    store = Store(StoredAnswer([], []))
    recent = Recent()
    recent.use(store)
    assert recent.last_items("a", []) == []
    assert store.asked == []


def test_an_absent_store_is_counted() -> None:
    recent = Recent()
    assert recent.last_items("a", ["u"]) == []
    assert recent.health.reads["not_open"] == 1
    assert recent.health.problem


@pytest.mark.parametrize("error", [OSError("disk"), RuntimeError("locked"), KeyError("view")])
def test_a_broken_store_is_counted_and_recovers(error: Exception) -> None:
    store = Store(error)
    recent = Recent()
    recent.use(store)
    assert recent.last_items("a", ["u"]) == []
    assert recent.health.reads["failed"] == 1
    assert type(error).__name__ in (recent.health.problem or "")
    store.answer = StoredAnswer([["i1"]], [None])
    assert recent.last_items("a", ["u"]) == ["i1"]
    assert recent.health.problem is None


def test_a_hanging_store_holds_up_one_request_once() -> None:
    gate = threading.Event()
    store = Store(StoredAnswer([["i1"]], [None]), gate)
    recent = Recent(budget_s=0.01)
    recent.use(store)
    assert [recent.last_items("a", ["u"]) for _ in range(5)] == [[]] * 5
    assert len(store.asked) == 1
    assert recent.health.reads["slow"] == 5
    gate.set()
    deadline = threading.Event()
    for _ in range(500):
        if recent.last_items("a", ["u"]) == ["i1"]:
            break
        deadline.wait(0.01)
    assert recent.health.problem is None


def test_a_value_holds_until_its_end_and_a_little_longer() -> None:
    assert holds(None, 10**15)
    assert holds(1_000, 999)
    assert holds(1_000, 1_000 + GRACE_MS - 1)
    assert not holds(1_000, 1_000 + GRACE_MS)
