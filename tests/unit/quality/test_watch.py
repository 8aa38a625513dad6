"""What the watch finds in a lake and a log: each problem by name, and nothing where all is well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jishi.held_back import GateFinding, hold, release
from jishi.lake.versions import MartsFile, Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import ONLINE_PARITY, SILVER_EVENTS
from quality import watch
from quality.archive import LogUnreachable, PartitionArchive
from tests.lake import record, settings_in
from tests.live_events import append_live

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HALF_AN_HOUR_AGO_MS = int((NOW - timedelta(minutes=30)).timestamp() * 1000)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A platform whose stream keeps up; tests/integration/kafka has the log itself."""
    monkeypatch.setattr(watch, "archive_of", lambda settings, until: [PartitionArchive(0, 10), PartitionArchive(1, 10)])
    return settings_in(tmp_path / "var")


def arrive(settings: Settings, seqs: Any, **fields: Any) -> None:
    row = {"collector_id": "c", "shop_id": "a", "outcome": "good", "received_at_ms": HALF_AN_HOUR_AGO_MS} | fields
    append_live(settings, [row | {"seq": seq, "received_at_ms": row["received_at_ms"] + seq} for seq in seqs])


def names(settings: Settings) -> list[str]:
    noticed = watch.problems(settings, NOW)
    assert {problem.check for problem in noticed} <= set(watch.CHECKS)
    return [problem.name for problem in noticed]


def test_an_empty_platform_and_a_quiet_one_are_well(settings: Settings) -> None:
    assert names(settings) == []
    arrive(settings, range(200))
    assert names(settings) == []


def test_a_stream_that_is_behind_is_named_with_its_lag(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = [PartitionArchive(0, 10), PartitionArchive(1, 10, 4, NOW - timedelta(seconds=900))]
    monkeypatch.setattr(watch, "archive_of", lambda settings, until: behind)
    [problem] = watch.problems(settings, NOW)
    assert (problem.name, "900 s behind the log, in 1 of 2 partitions" in problem.says) == ("lag", True)


def test_a_log_that_does_not_answer_hides_no_other_problem(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(settings: Settings, until: datetime) -> list[PartitionArchive]:
        raise LogUnreachable("the event log at x:1 does not answer")

    monkeypatch.setattr(watch, "archive_of", unreachable)
    arrive(settings, [1, 2, 4])
    assert names(settings) == ["log", "gaps.c"]


def test_a_missing_number_is_a_gap_and_one_beyond_the_edge_of_the_hour_is_none(settings: Settings) -> None:
    arrive(settings, [5, 6, 9])
    late = HALF_AN_HOUR_AGO_MS + int(timedelta(minutes=22).total_seconds()) * 1000  # within the edge behind the hour
    arrive(settings, [7], received_at_ms=late)
    [problem] = watch.problems(settings, NOW)
    assert problem.name == "gaps.c"
    assert "lacks 1 numbers of collector c from 8 on" in problem.says


def test_a_shop_whose_events_are_refused_is_named_and_its_claims_are_none(settings: Settings) -> None:
    arrive(settings, range(100), shop_id="a", outcome="claim")
    arrive(settings, range(100, 194), shop_id="b")
    arrive(settings, range(194, 200), shop_id="b", outcome="invalid")
    assert names(settings) == ["quarantine.b"]


def test_a_day_that_nobody_worked_up_is_named_when_it_should_have_been(settings: Settings) -> None:
    days = [date(2026, 11, 19), date(2026, 11, 20)]
    for number, day in enumerate(days):
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        arrive(settings, [number], received_at_ms=int(midnight.timestamp() * 1000))
    record(settings.var, {SILVER_EVENTS: [{"shop_id": "a", "event_id": "e", "batch": "live-2026-11-19"}]})
    [problem] = watch.problems(settings, NOW)
    assert problem.name == "freshness"
    assert "2026-11-20" in problem.says
    assert "2026-11-19" not in problem.says
    early = datetime(2026, 11, 21, 8, tzinfo=UTC)
    assert watch.problems(settings, early) == [], "the night may still be at it"
    with Shops.edit(Paths.of(settings).shops_file) as registry:
        registry.add(Shop(shop_id="a", name="a"))
        registry.pause("a", NOW)
    assert names(settings) == [], "nobody works up a shop that is paused"


def test_a_feature_that_drifts_is_named_for_two_days(settings: Settings) -> None:
    rows = [{"read_on": date(2026, 11, 20), "feature": f, "reads": 100, "drift": d} for f, d in (("x", 0.5), ("y", 0.0))]
    record(settings.var, {ONLINE_PARITY: rows})
    assert names(settings) == ["parity.x"]
    assert watch.problems(settings, NOW + timedelta(days=3)) == []


def test_values_that_nobody_compares_are_named_half_a_day_after_their_day(settings: Settings) -> None:
    folder = Paths.of(settings).served_values / "2026-11-20"
    folder.mkdir(parents=True)
    (folder / "1.jsonl").write_text("{}\n")
    assert names(settings) == [], "it is half a day after, and not more"
    [problem] = watch.problems(settings, NOW + timedelta(minutes=1))
    assert (problem.name, "jishi features online-parity --date 2026-11-20" in problem.says) == ("parity", True)
    record(settings.var, {ONLINE_PARITY: [{"read_on": date(2026, 11, 20), "feature": "x", "reads": 100, "drift": 0.0}]})
    assert watch.problems(settings, NOW + timedelta(days=9)) == []


def test_a_shop_that_a_gate_holds_back_is_named_with_check_rows_and_repair(settings: Settings) -> None:
    finding = GateFinding("prices", "silver/order_lines", "live-2026-11-20", "7 times", ("i1 700, before 100",), "run it")
    hold(Paths.of(settings), "a", [finding], NOW)
    [problem] = watch.problems(settings, NOW)
    assert problem.name == "held.a"
    assert all(text in problem.says for text in ("prices", "live-2026-11-20", "i1 700, before 100", "run it"))
    release(Paths.of(settings), "a")
    assert names(settings) == []


def test_marts_that_do_not_know_a_night_of_silver_are_named(settings: Settings) -> None:
    built = record(settings.var, {SILVER_EVENTS: []})
    for writer in ("spark_jobs maintain", "spark_jobs silver --batch live-2026-11-20"):
        latest = Versions.of(settings).latest()
        assert latest is not None
        marts = MartsFile("marts/1.duckdb", "0" * 64, built.number)
        at = NOW - watch.WORKED_UP_AFTER - timedelta(hours=1)
        Versions.of(settings).commit(
            replace(latest, number=latest.number + 1, created_at=at, writer=writer, base=latest.number, marts=marts)
        )
        assert ("marts" in names(settings)) == writer.startswith("spark_jobs silver")
