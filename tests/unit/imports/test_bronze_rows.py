"""Bronze rows of history lines: the contract's verdict, the line untouched, and the time at which it became known."""

from __future__ import annotations

import orjson

from imports.bronze import LineCounts, bronze_rows
from jishi.contract.fields import parse_instant, to_ms
from jishi.features.event_log import rows_of_lines
from jishi.outcomes import Outcome, outcome_without_history
from jishi.tables import BRONZE_EVENTS


def view(event_id: str, occurred: str = "2026-09-01T10:00:00Z", **more: object) -> bytes:
    event = {"event_id": event_id, "shop_id": "s", "type": "item_viewed", "occurred_at": occurred, "user_id": "u"}
    return orjson.dumps({**event, "properties": {"item_id": "i"}, **more})


def read(lines: list[bytes], shop_id: str = "s", first_seq: int = 0) -> tuple[list[dict], LineCounts]:
    counts = LineCounts()
    return list(bronze_rows(lines, counts, shop_id=shop_id, first_seq=first_seq)), counts


def ms(text: str) -> int:
    return to_ms(parse_instant(text))


def test_received_at_is_the_events_own_or_the_time_it_occurred():
    lines = [view("a"), view("b", received_at="2026-09-01T10:05:00.250Z")]
    rows, counts = read(lines, first_seq=40)
    assert [r["received_at_ms"] for r in rows] == [ms("2026-09-01T10:00:00Z"), ms("2026-09-01T10:05:00.250Z")]
    assert [r["collected_at_ms"] for r in rows] == [r["received_at_ms"] for r in rows]
    assert [(r["collector_id"], r["seq"]) for r in rows] == [("history:s", 40), ("history:s", 41)]
    assert (counts.lines, counts.good) == (2, 2)
    assert all(set(r) == set(BRONZE_EVENTS.columns) for r in rows)


def test_a_line_that_no_parser_reads_is_kept_as_it_is_with_its_reason():
    broken = b'{"event_id": "x", \xff'
    rows, counts = read([view("a"), broken, b"[1]"])
    assert dict(counts.invalid) == {"bad_text": 1, "not_an_object": 1}
    assert rows[1]["line"] == '{"event_id": "x", \\xff'
    assert rows[1]["received_at_ms"] == rows[0]["received_at_ms"], "known together with the line before it"


def test_the_start_of_a_file_without_times_is_known_with_the_first_line_that_has_one():
    rows, _ = read([b"nonsense", b"{}", view("a")])
    assert {r["received_at_ms"] for r in rows} == {ms("2026-09-01T10:00:00Z")}
    rows, _ = read([b"nonsense"])
    assert rows[0]["received_at_ms"] == 0


def test_an_invalid_event_keeps_the_time_that_it_brings():
    line = orjson.dumps({"type": "item_viewed", "received_at": "2026-09-02T00:00:00Z"})
    rows, counts = read([view("a"), line])
    assert rows[1]["received_at_ms"] == ms("2026-09-02T00:00:00Z")
    assert counts.invalid["missing_field"] == 1


def test_the_line_is_untouched():
    line = b'{ "event_id":"a","shop_id":"s", "type":"consent_changed", "occurred_at":"2026-09-01T10:00:00Z","user_id":"u",' + (
        '"properties":{"personalisation":true},"未知":1.50}'.encode()
    )
    rows, counts = read([line])
    assert rows[0]["line"].encode() == line
    assert counts.good == 1


def test_an_event_of_another_shop_is_refused():
    rows, counts = read([view("a")], shop_id="other")
    assert rows[0]["invalid_reason"] == "foreign_shop"
    assert rows[0]["shop_id"] == "other"
    assert counts.good == 0


def test_an_unknown_field_that_is_named_like_a_column_stays_in_the_line():
    line = orjson.dumps(
        {
            "event_id": "a",
            "shop_id": "s",
            "type": "consent_changed",
            "occurred_at": "2026-09-01T10:00:00Z",
            "user_id": "u",
            "properties": {"personalisation": True, "item_id": 7, "category": {"deep": 1}},
        }
    )
    rows, counts = read([line])
    assert counts.good == 1
    assert rows[0]["item_id"] is None
    assert rows[0]["category"] is None


def test_a_time_more_than_a_year_ahead_of_the_import_is_refused():
    """Before, the year 2099 was good history, and every feature and chart began with it."""
    now = ms("2026-11-29T12:00:00Z")
    lines = [view("a"), view("b", occurred_at="2027-11-29T12:00:00Z"), view("c", occurred_at="2099-01-01T00:00:00Z")]
    lines.append(view("d", received_at="2099-01-01T00:00:00Z"))
    rows = list(bronze_rows(lines, LineCounts(), shop_id="s", first_seq=0, now_ms=now))
    assert [(row["invalid_reason"], row["invalid_field"]) for row in rows] == [
        (None, None),
        (None, None),
        ("beyond_horizon", "occurred_at"),
        ("beyond_horizon", "received_at"),
    ]


def test_an_imported_row_of_a_day_to_come_is_future_and_no_newest_day():
    """Before, an order dated next summer was known from then on: every day up to it was over, and every customer asleep."""
    now = ms("2026-11-29T12:00:00Z")
    lines = [
        view("past", occurred_at="2026-11-28T12:00:00Z", received_at="2026-11-28T12:00:00Z"),
        view("to come", occurred_at="2027-06-01T12:00:00Z"),
        view("known to come", occurred_at="2026-11-28T13:00:00Z", received_at="2027-06-01T12:00:00Z"),
        view("this minute", occurred_at="2026-11-29T12:00:03Z"),
    ]
    rows = list(bronze_rows(lines, LineCounts(), shop_id="s", first_seq=0, now_ms=now))
    assert [row["invalid_reason"] for row in rows] == [None] * 4
    assert max(row["received_at_ms"] for row in rows) == now
    outcomes = [
        outcome_without_history(
            invalid_reason=row["invalid_reason"],
            occurred_at_ms=row["occurred_at_ms"],
            received_at_ms=row["received_at_ms"],
            allowed_lateness_s=30,
            future_tolerance_s=5,
        )
        for row in rows
    ]
    assert outcomes == [Outcome.GOOD, Outcome.FUTURE, Outcome.LATE, Outcome.GOOD]
    assert [row["received_at_ms"] for row in rows_of_lines(lines, "s", now)] == [row["received_at_ms"] for row in rows]
