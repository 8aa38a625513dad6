"""``jishi complete``: which end a day has, and how the command ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shop, Shops
from ops.cli import app
from quality import archive
from quality.archive import LogUnreachable, PartitionArchive, end_of_day

DAY = date(2026, 11, 20)


class LogAnswers:
    """In place of the log: remembers the instant that it was asked for, and says what bronze lacks."""

    def __init__(self) -> None:
        self.until: datetime | None = None
        self.archives = [PartitionArchive(0, 7)]

    def __call__(self, settings: Settings, until: datetime) -> list[PartitionArchive]:
        self.until = until
        return self.archives


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LogAnswers:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path))
    get_settings.cache_clear()
    registry = Shops()
    registry.add(Shop(shop_id="w", name="West", time_zone="America/Los_Angeles"))
    registry.save(Paths.of(get_settings()).shops_file)
    log = LogAnswers()
    monkeypatch.setattr(archive, "archive_of", log)
    return log


def complete(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["complete", *arguments])


def test_a_day_ends_with_its_lateness_on_the_clock_that_is_asked_for(log: LogAnswers) -> None:
    assert complete("--date", str(DAY)).exit_code == 0
    assert log.until == datetime(2026, 11, 21, 0, 0, 30, tzinfo=UTC)
    assert complete("--date", str(DAY), "--shop", "w").exit_code == 0
    assert log.until == datetime(2026, 11, 21, 8, 0, 30, tzinfo=UTC)


def test_a_day_of_23_hours_ends_an_hour_earlier() -> None:
    assert end_of_day(date(2026, 3, 8), "America/Los_Angeles", 0) == datetime(2026, 3, 9, 7, tzinfo=UTC)
    assert end_of_day(date(2026, 3, 7), "America/Los_Angeles", 0) == datetime(2026, 3, 8, 8, tzinfo=UTC)


def test_a_run_that_began_before_the_end_takes_what_was_known_then(log: LogAnswers) -> None:
    complete("--date", str(DAY), "--at", "2026-11-20T15:00:00Z")
    assert log.until == datetime(2026, 11, 20, 15, tzinfo=UTC)
    complete("--date", str(DAY), "--at", "2026-11-21T00:00:00Z")
    assert log.until == datetime(2026, 11, 21, 0, 0, 30, tzinfo=UTC), "a night begins at midnight and waits for the lateness"


def test_a_day_that_is_not_over_is_not_complete_whatever_bronze_has(log: LogAnswers) -> None:
    today = datetime.now(UTC).date() + timedelta(days=1)
    result = complete("--date", str(today))
    assert (result.exit_code, log.until) == (1, None)
    assert "is open until" in result.output


def test_what_is_missing_is_named(log: LogAnswers) -> None:
    log.archives = [PartitionArchive(0, 7), PartitionArchive(1, 9, 4, datetime(2026, 11, 20, 23, tzinfo=UTC))]
    result = complete("--date", str(DAY))
    assert result.exit_code == 1
    assert "partition 1 of the log: bronze lacks events from offset 4 on (known since 2026-11-20T23:00:00Z)" in result.output


def test_a_log_that_does_not_answer_is_no_failure_of_the_day(log: LogAnswers, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(settings: Settings, until: datetime) -> list[PartitionArchive]:
        raise LogUnreachable("the event log at x:1 does not answer")

    monkeypatch.setattr(archive, "archive_of", unreachable)
    assert complete("--date", str(DAY)).exit_code == 3


def test_an_unknown_shop_and_an_instant_without_zone_are_refused(log: LogAnswers) -> None:
    assert complete("--date", str(DAY), "--shop", "nobody").exit_code == 2
    assert complete("--date", str(DAY), "--at", "2026-11-20 15:00").exit_code == 2
