"""The log of served values: by day, bounded, and never in a request's way."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from jishi.features.served import Served, read_served
from serving.served_log import KEPT_DAYS, ServedLog

DAY_MS = 86_400_000
MIDNIGHT_MS = 1_788_220_800_000  # 2026-09-01


def read(at_ms: int) -> Served:
    return Served("a", "p", "last_items", ["i"], at_ms - 1, at_ms)


def test_values_lie_in_the_day_of_their_read(tmp_path: Path) -> None:
    log = ServedLog(tmp_path, "me", 1.0)
    for at_ms in (MIDNIGHT_MS - 1, MIDNIGHT_MS, MIDNIGHT_MS + 1):
        log.note(read(at_ms))
    log.flush()
    log.note(read(MIDNIGHT_MS + 2))
    log.flush()
    assert [value.read_at_ms - MIDNIGHT_MS for value in read_served(tmp_path, date(2026, 9, 1))] == [0, 1, 2]
    assert [value.read_at_ms - MIDNIGHT_MS for value in read_served(tmp_path, date(2026, 8, 31))] == [-1]
    assert (log.logged, log.dropped, log.problem) == (4, 0, None)


def test_old_days_are_deleted_when_a_new_one_begins(tmp_path: Path) -> None:
    log = ServedLog(tmp_path, "me", 1.0)
    for day in range(KEPT_DAYS + 2):
        log.note(read(MIDNIGHT_MS + day * DAY_MS))
        log.flush()
    assert sorted(folder.name for folder in tmp_path.iterdir()) == [f"2026-09-{day + 2:02}" for day in range(KEPT_DAYS + 1)]


def test_what_does_not_fit_is_dropped_whole_and_counted(tmp_path: Path) -> None:
    log = ServedLog(tmp_path, "me", 1.0, most_bytes=len(read(MIDNIGHT_MS).line()) * 2)
    for at_ms in range(2):
        log.note(read(MIDNIGHT_MS + at_ms))
    log.flush()
    log.note(read(MIDNIGHT_MS + 2))
    log.flush()
    assert (log.logged, log.dropped) == (2, 1)
    assert log.problem is not None
    assert len(list(read_served(tmp_path, date(2026, 9, 1)))) == 2


def test_a_full_queue_and_a_folder_that_cannot_be_written_cost_values_and_raise_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    log = ServedLog(tmp_path / "file", "me", 1.0)
    for at_ms in range(10_001):
        log.note(read(at_ms))
    assert log.dropped == 1
    log.flush()
    assert (log.logged, log.dropped) == (0, 10_001)
    assert log.problem is not None
    assert "NotADirectoryError" in log.problem


def test_what_befalls_a_sink_is_told_and_neither_the_files_nor_another_sinks_loss(tmp_path: Path) -> None:
    received: list[object] = []

    def fail(_: list[object]) -> None:
        raise OSError(28, "no room")

    log = ServedLog(tmp_path, "me", 1.0, sinks=[fail, received.extend])
    log.note(read(MIDNIGHT_MS))
    log.flush()
    assert (log.logged, log.dropped, len(received)) == (1, 0, 1)
    assert "no room" in str(log.problem)
