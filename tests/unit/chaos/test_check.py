"""The check fails: for a lost, a doubled and a foreign id, for a swapped order, another partition, a wrong outcome or value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.check import check_archive, check_damage, check_ids, check_order, check_outcomes, counted_outcomes
from chaos.evidence import known_before
from chaos.feature_check import LOST, by_instant, check_messages, check_stored
from chaos.ledger import Account, Meant, SentLedger
from jishi.features import live_views
from jishi.features.oracle import Value

NOW_MS = 1_788_220_800_000
LIMITS = {"allowed_lateness_s": 30, "future_tolerance_s": 5}
WINDOW, LAST = "person_3600s_60s", "person_last_20"
Rows = list[dict[str, Any]]


def row(event_id: str, place: int, outcome: str = "good", **changes: Any) -> dict[str, Any]:
    """A record of person p at an offset of partition 0, as log and archive have it."""
    payload = {"event_id": event_id, "shop_id": "s", "person_id": "p", "collector_id": "c", "seq": place, "outcome": outcome}
    payload |= {"log_partition": 0, "log_offset": place, "received_at_ms": NOW_MS + place, "occurred_at_ms": NOW_MS}
    return payload | {"invalid_reason": None} | changes


@pytest.fixture
def account() -> Account:
    """Three events of one person, of which the last one was not acknowledged."""
    meant = {f"e{turn}": Meant(f"e{turn}", "p", turn) for turn in (1, 2, 3)}
    return Account(meant, {"e1": 1, "e2": 1})


@pytest.fixture
def rows() -> Rows:
    """What is there when all is well: e2 was delivered twice, and its second record forwarded twice."""
    again = row("e2", 2, "duplicate")
    return [row("e1", 0), row("e2", 1), again, again | {"log_offset": 3}]


def test_nothing_is_wrong(account: Account, rows: Rows) -> None:
    for finding in (
        check_ids(account, rows),
        check_archive(rows, rows),
        check_outcomes(rows, **LIMITS),
        check_order(account, rows),
    ):
        assert finding.is_fine, finding
        assert finding.cases > 0
    assert counted_outcomes(rows) == {"good": 2, "duplicate": 1}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda rows: rows[1:], ["e1 was acknowledged and is lost"]),
        (lambda rows: [*rows, row("e1", 4)], ["e1 counts 2 times (good 2)"]),
        (lambda rows: [*rows, row("e1", 4, "late")], ["e1 counts 2 times (good 1, late 1)"]),
        (lambda rows: [*rows, row("e3", 4, "late")], []),
        (lambda rows: [*rows, row("e3", 4), row("e3", 5)], ["e3 counts 2 times (good 2)"]),
        (lambda rows: [*rows, row("e9", 4)], ["e9 is there and nobody sent it"]),
        (lambda rows: [{**rows[0], "outcome": "duplicate"}, *rows[1:]], ["e1 was acknowledged and is lost"]),
        (lambda rows: [{**rows[0], "outcome": "invalid"}, *rows[1:]], []),
    ],
    ids=[
        "lost",
        "doubled",
        "doubled late",
        "unacknowledged",
        "unacknowledged doubled",
        "foreign",
        "duplicate only",
        "quarantined",
    ],
)
def test_ids(account: Account, rows: Rows, change: Callable[[Rows], Rows], wrong: list[str]) -> None:
    assert check_ids(account, change(rows)).wrong == wrong


def test_a_record_that_is_not_archived_or_twice(rows: Rows) -> None:
    assert check_archive(rows, rows[1:]).wrong == ["partition 0 offset 0 is not archived"]
    assert check_archive(rows, [*rows, rows[0]]).wrong == ["partition 0 offset 0 is archived 2 times"]
    assert check_archive(rows[1:], rows).wrong == ["partition 0 offset 0 is archived and not in the log"]


def test_a_log_that_lost_its_end_and_got_it_again(rows: Rows) -> None:
    """Offsets 2 and 3 were archived, then lost and given to a new record; what was lost came again behind it."""
    new, again = row("e4", 2, seq=9), row("e2", 4, "duplicate", seq=2)
    log, archive = [*rows[:2], new, again], [*rows, new, again]
    assert check_archive(log, archive, is_cut=True).wrong == []
    assert check_archive(log, [*rows, again], is_cut=True).wrong == ["partition 0 offset 2 is not archived"]
    assert check_archive(log, [*archive, row("e5", 7, seq=10)], is_cut=True).wrong == [
        "partition 0 offset 7 is archived and not in the log"
    ]
    assert check_archive(log, archive).wrong == [
        "partition 0 offset 2 is archived and not in the log",
        "partition 0 offset 3 is archived and not in the log",
    ]


def test_what_was_destroyed_is_named_or_lost(account: Account, rows: Rows) -> None:
    assert check_ids(account, rows[1:], set_aside={"e1"}).is_fine
    assert check_damage([7], [(7, 8)]).is_fine
    assert check_damage([7, 9], [(7, 9)]).wrong == [
        "seq 9 was destroyed and is not named",
        "seq 8 is named as damaged and is not",
    ]


def test_a_wrong_outcome(rows: Rows) -> None:
    assert check_outcomes([{**rows[0], "outcome": "late"}, *rows[1:]], **LIMITS).wrong == ["e1 is late, by the rule good"]


def test_a_swapped_order(account: Account) -> None:
    assert check_order(account, [row("e2", 0), row("e1", 1)]).wrong == ["e1 of p comes after e2, which was sent later"]


def test_a_second_partition(account: Account) -> None:
    swapped = [row("e1", 0), row("e2", 0, log_partition=1, seq=7)]
    assert check_order(account, swapped).wrong == ["p has e1 in partition 0 and e2 in 1"]


def test_a_later_delivery_changes_no_order(account: Account, rows: Rows) -> None:
    assert check_order(account, [*rows, row("e1", 4, "duplicate")]).is_fine


def value(feature: str, content: Any, minute: int, until: bool = True) -> Value:
    as_of_ms = NOW_MS + 60_000 * minute
    return Value(feature, "s", "p", as_of_ms, content, as_of_ms + 60_000 if until else None)


def message(view: str, values: dict[str, Any], minute: int, until: bool = True) -> str:
    as_of_ms = NOW_MS + 60_000 * minute
    until_ms = as_of_ms + 60_000 if until else None
    body = {"view": view, "shop_id": "s", "entity_id": "p", "as_of_ms": as_of_ms, "valid_until_ms": until_ms}
    return json.dumps({"message_key": "k", "message": json.dumps(body | {"values": values})})


@pytest.mark.parametrize(("views", "wrong"), [([1, 2], 0), ([1, 3], 1), ([1], 1)], ids=["equal", "wrong", "missing"])
def test_a_wrong_feature_in_the_topic(tmp_path: Path, views: list[int], wrong: int) -> None:
    expected = [value("person_views_1h", 1, 0), value("person_views_1h", 2, 1)]
    folder = tmp_path / "messages"
    folder.mkdir()
    entries = [message(WINDOW, {"person_views_1h": count, "person_carts_1h": 0}, minute) for minute, count in enumerate(views)]
    (folder / "part-0").write_text("\n".join(entries) + "\n")
    finding, by_view = check_messages(expected, folder, {WINDOW: live_views()[WINDOW]}, tmp_path)
    assert len(finding.wrong) == wrong
    assert by_view == {WINDOW: 2}


@pytest.mark.parametrize(("seen", "wrong"), [(5, 0), (6, 1), (None, 0)], ids=["right", "wrong", "not read in time"])
def test_a_message_of_a_record_that_the_log_lost_is_right_or_wrong(tmp_path: Path, seen: int | None, wrong: int) -> None:
    view = "person_last_seen_at_ms"
    name = live_views()[view][0].name
    folder = tmp_path / "messages"
    folder.mkdir()
    seen_at_ms = [NOW_MS] if seen is None else [NOW_MS, NOW_MS + seen]
    entries = [message(view, {name: at_ms}, minute, until=False) for minute, at_ms in enumerate(seen_at_ms)]
    (folder / "part-0").write_text("\n".join(entries) + "\n")
    kept, lost = value(name, NOW_MS, 0, until=False), value(name, NOW_MS + 5, 1, until=False)
    finding, by_view = check_messages([kept], folder, {view: live_views()[view]}, tmp_path, lost=[lost])
    assert len(finding.wrong) == wrong
    assert by_view == {view: 1} | ({LOST: 1} if seen == 5 else {})


def test_what_was_known_before_a_cut() -> None:
    first, sent_again, elsewhere = row("e1", 0), row("e2", 1, received_at_ms=NOW_MS + 50), row("e3", 0, log_partition=1)
    lost = row("e2", 1)
    assert known_before([elsewhere, sent_again, first], [lost]) == [first, lost, elsewhere]
    assert known_before([lost, first], [lost]) == [first, lost], "the stream had archived it"


def stored(views: int | None, minute: int | None) -> dict[str, Any]:
    until_ms = None if minute is None else NOW_MS + 60_000 * (minute + 1)
    return {"person_views_1h": views, "person_carts_1h": 0 if views is not None else None, "valid_until_ms": until_ms}


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (stored(2, 1), []),
        (stored(3, 1), ["person_views_1h of p is 3, by the oracle 2"]),
        (stored(1, 0), [f"{WINDOW} of p is of {NOW_MS}, the newest value is of {NOW_MS + 60_000}"]),
        (
            stored(None, None),
            ["person_views_1h of p is None, by the oracle 2", "person_carts_1h of p is None, by the oracle 0"],
        ),
        (stored(0, 2), []),
    ],
    ids=["newest", "wrong", "old", "absent", "a later window without acts"],
)
def test_a_wrong_window_in_the_store(row: dict[str, Any], wrong: list[str]) -> None:
    expected = by_instant([value("person_views_1h", 1, 0), value("person_views_1h", 2, 1)])
    assert check_stored(expected, WINDOW, live_views()[WINDOW], [("s", "p")], [row]).wrong == wrong


@pytest.mark.parametrize(("items", "is_fine"), [(["b", "a"], True), (["a"], False), (None, False)])
def test_a_wrong_list_in_the_store(items: list[str] | None, is_fine: bool) -> None:
    expected = by_instant(
        [
            *(value("last_items", ["a"], 0, until=False), value("last_items", ["b", "a"], 1, until=False)),
            *(value("last_items_known_ms", [0], 0, until=False), value("last_items_known_ms", [1, 0], 1, until=False)),
        ]
    )
    row: dict[str, Any] = {"last_items": items, "last_items_known_ms": items and [1, 0], "valid_until_ms": None}
    assert check_stored(expected, LAST, live_views()[LAST], [("s", "p")], [row]).is_fine is is_fine


def test_the_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    ledger = SentLedger(tmp_path / "ledger.jsonl")
    events = [Meant("e1", "p", 1), Meant("e2", "q", 1)]
    ledger.acknowledge(ledger.mean(events), at=5.0, after_s=0.5)
    ledger.acknowledge(ledger.mean(events), at=6.0, after_s=0.25)
    ledger.mean([Meant("e3", "p", 2)])
    account = Account.of(tmp_path / "ledger.jsonl")
    assert account.meant == {"e1": events[0], "e2": events[1], "e3": Meant("e3", "p", 2)}
    assert account.acknowledged == {"e1": 2, "e2": 2}
    assert account.answers == [(5.0, 0.5, 2), (6.0, 0.25, 2)]
