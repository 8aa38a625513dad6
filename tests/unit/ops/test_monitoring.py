"""Alerts fire when something is wrong and only then; what is watched exists, and no page of metrics names a shop."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from collector.metrics import CollectorMetrics
from dashboard.portal.live_streams import LiveStreams
from dashboard.portal.metrics import PortalMetrics
from feature_repo.writer import WriterProgress
from feature_repo.writer_page import ProgressCollector
from jishi.heartbeat import beat
from jishi.lake.versions import MartsFile, TableVersion, Versions
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.tables import ONLINE_PARITY
from ops.ailments import ailments
from ops.marts_age import marts_published_at
from ops.monitoring import files
from ops.monitoring.alerts import ALERTS, STATES
from ops.monitoring.exporter import PlatformCollector
from ops.monitoring.objectives import BURNS, OBJECTIVES
from quality.watch import CHECKS
from serving.metrics import ServingMetrics
from serving.recent import Recent
from serving.served_log import ServedLog
from serving.shop_state import ShopStates
from serving.stream import StreamHealth
from serving.worker_metrics import WorkerMetrics
from tests.lake import record, settings_in

STEPS = 3 * 24 * 30  # of two minutes
DAY = 24 * 30
HEALTHY = {
    'jishi_recommendation_requests_total{status="200",served_by="popular"}': f"0+1000x{STEPS}",
    'jishi_recommendation_requests_total{status="500",served_by="none"}': f"0+0x{STEPS}",
    'jishi_recommendation_seconds_bucket{le="0.1"}': f"0+995x{STEPS}",
    "jishi_recommendation_seconds_count": f"0+1000x{STEPS}",
    'jishi_collector_refused_requests_total{code="disk_failing"}': f"0+0x{STEPS}",
    'jishi_collector_refused_requests_total{code="unknown_key"}': f"0+9x{STEPS}",
    "jishi_collector_group_events_count": f"0+1000x{STEPS}",
    'jishi_portal_requests_total{page="/shops",method="GET",status="200"}': f"0+100x{STEPS}",
    'jishi_portal_requests_total{page="/shops",method="GET",status="500"}': f"0+0x{STEPS}",
    'jishi_portal_requests_total{page="/healthz",method="GET",status="200"}': f"0+100000x{STEPS}",
    'jishi_feature_lag_messages{partition="0"}': f"5+0x{STEPS}",
    'jishi_serving_stream_lag_records{partition="0"}': f"5+0x{STEPS}",
    "jishi_forwarder_lag_events": f"5+0x{STEPS}",
    "jishi_forwarder_damaged_entries": f"0+0x{STEPS}",
    'jishi_collector_quarantined_events_total{sent_by="page",reason="missing_field"}': f"0+5x{STEPS}",
    'jishi_collector_accepted_events_total{sent_by="page"}': f"0+1000x{STEPS}",
    "jishi_online_parity_wrong_ratio": f"0.002+0x{STEPS}",
    "jishi_online_parity_waiting_seconds": f"0+0x{STEPS}",
    'jishi_part_up{part="serving"}': f"1+0x{STEPS}",
    'jishi_part_heartbeat_age_seconds{part="flink"}': f"2+0x{STEPS}",
    "jishi_serving_silent_workers": f"0+0x{STEPS}",
    'jishi_watch_problems{check="gaps"}': f"0+0x{STEPS}",
    "jishi_watch_age_seconds": f"700+0x{STEPS}",
    'up{job="jishi",instance="a"}': f"1+0x{STEPS}",
    "jishi_flink_restarts": f"1+0x{STEPS}",
    "jishi_flink_checkpoints": f"0+12x{STEPS}",
    "jishi_flink_running": f"1+0x{STEPS}",
    "jishi_disk_free_bytes": f"90000000-100x{STEPS}",
    "jishi_disk_bytes": f"100000000+0x{STEPS}",
    "jishi_collector_disk_failing": f"0+0x{STEPS}",
    "jishi_marts_age_seconds": f"80000+0x{STEPS}",
    "jishi_release_load_failures_total": f"1+0x{STEPS}",
    "jishi_feature_messages_dead_total": f"1+0x{STEPS}",
}
BROKEN = HEALTHY | {
    'jishi_recommendation_requests_total{status="500",served_by="none"}': f"0+500x{STEPS}",
    'jishi_recommendation_seconds_bucket{le="0.1"}': f"0+500x{STEPS}",
    'jishi_collector_refused_requests_total{code="disk_failing"}': f"0+500x{STEPS}",
    'jishi_portal_requests_total{page="/shops",method="GET",status="500"}': f"0+50x{STEPS}",
    'jishi_feature_lag_messages{partition="0"}': f"5000+0x{STEPS}",
    "jishi_forwarder_damaged_entries": f"1+0x{STEPS}",
    'jishi_collector_quarantined_events_total{sent_by="page",reason="missing_field"}': f"0+500x{STEPS}",
    "jishi_online_parity_wrong_ratio": f"0.02+0x{STEPS}",
    "jishi_online_parity_waiting_seconds": f"50000+0x{STEPS}",
    'jishi_part_up{part="serving"}': f"0+0x{STEPS}",
    'jishi_part_heartbeat_age_seconds{part="flink"}': f"100+0x{STEPS}",
    "jishi_serving_silent_workers": f"1+0x{STEPS}",
    'jishi_watch_problems{check="gaps"}': f"2+0x{STEPS}",
    "jishi_watch_age_seconds": f"5000+0x{STEPS}",
    'up{job="jishi",instance="a"}': f"0+0x{STEPS}",
    "jishi_flink_restarts": f"0+1x{STEPS}",
    "jishi_flink_checkpoints": f"12+0x{STEPS}",
    "jishi_disk_free_bytes": f"90000000-40000x{STEPS}",
    "jishi_collector_disk_failing": f"1+0x{STEPS}",
    "jishi_marts_age_seconds": f"140000+0x{STEPS}",
    "jishi_release_load_failures_total": f"0+1x{STEPS}",
    "jishi_feature_messages_dead_total": f"0+1x{STEPS}",
}
# Ten times the budget of answers for three days, and a failure of minutes an hour ago that is over.
TEN_TIMES = HEALTHY | {'jishi_recommendation_requests_total{status="500",served_by="none"}': f"0+5x{STEPS}"}
# The forwarder has died with nothing left to forward: its last word stays, and only its age grows.
DEAD = HEALTHY | {'jishi_part_heartbeat_age_seconds{part="forwarder"}': f"0+120x{STEPS}"}


def gone(*metrics: str) -> dict[str, str]:
    """The healthy series, without those of some metrics for a day."""
    ended = {name: series for name, series in HEALTHY.items() if name.partition("{")[0] in metrics}
    return HEALTHY | {name: f"{series.rpartition('x')[0]}x{STEPS - DAY} _x{DAY}" for name, series in ended.items()}


def burns(*objectives: str) -> set[str]:
    return {f"Jishi{name.capitalize()}Burns{rate}x" for name in objectives for rate in ("14_4", "6", "1")}


# One request in two hours, of which every second fails; ten times as many, all of which fail.
FAILED = 'jishi_recommendation_requests_total{status="500",served_by="none"}'
QUIET = {name: f"0+0x{STEPS}" for name in HEALTHY if name.startswith(("jishi_recommendation", "jishi_collector"))}
A_FEW = HEALTHY | QUIET | {FAILED: f"0+0x{STEPS - 150} 1+0x59 2+0x59 3+0x31"}
ALL_OF_FEW = HEALTHY | QUIET | {FAILED: f"0+0x{STEPS - 149} " + " ".join(f"{n}+0x5" for n in range(1, 26))}
WITHOUT_ITEMS = HEALTHY | {'jishi_recommendation_requests_total{status="503",served_by="no_items"}': f"0+1000x{STEPS}"}
NEVER = {name: series for name, series in HEALTHY.items() if not name.startswith("jishi_serving_stream_lag_records")}
OVER = HEALTHY | {'jishi_recommendation_requests_total{status="500",served_by="none"}': f"0+0x{STEPS - 50} 0+100x9 1000+0x40"}


@pytest.mark.parametrize(
    ("series", "firing"),
    [
        pytest.param(HEALTHY, set(), id="healthy"),
        pytest.param(BROKEN, {alert.name for alert in ALERTS}, id="everything is broken"),
        pytest.param(TEN_TIMES, {"JishiAnswersBurns6x", "JishiAnswersBurns1x"}, id="ten times the budget"),
        pytest.param(DEAD, {"JishiPartSilent", *burns("completeness")}, id="no forwarder"),
        pytest.param(gone("jishi_serving_stream_lag_records"), burns("freshness"), id="no serving"),
        pytest.param(gone("jishi_feature_lag_messages"), burns("freshness"), id="no feature writer"),
        pytest.param(gone("jishi_flink_running"), burns("freshness"), id="no sign of the stream"),
        pytest.param(HEALTHY | {"jishi_flink_running": f"0+0x{STEPS}"}, burns("freshness"), id="a stream that does not run"),
        pytest.param(
            HEALTHY | {'jishi_part_heartbeat_age_seconds{part="flink"}': f"0+120x{STEPS}"},
            {"JishiPartSilent", *burns("freshness")},
            id="a silent stream",
        ),
        pytest.param(
            HEALTHY | {'jishi_part_up{part="feature_writer"}': f"0+0x{STEPS}"},
            {"JishiPartDown", *burns("freshness")},
            id="a writer that never comes up",
        ),
        pytest.param(gone("jishi_forwarder_lag_events"), burns("completeness"), id="no sign of the forwarder"),
        pytest.param(NEVER, set(), id="a platform without serving"),
        pytest.param(A_FEW, set(), id="few requests of a quiet shop"),
        pytest.param(ALL_OF_FEW, {"JishiAnswersBurns6x", "JishiAnswersBurns1x"}, id="all requests of a quiet shop"),
        pytest.param(WITHOUT_ITEMS, set(), id="a shop without items that asks all the same"),
        pytest.param(OVER, set(), id="what is over wakes nobody"),
    ],
)
def test_alerts_fire_when_something_is_wrong_and_only_then(series: dict[str, str], firing: set[str], tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(firing)]
    expected = {"expr": 'max by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "3d", "exp_samples": samples}
    given = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "2m", "promql_expr_test": [expected], "input_series": given}
    (tmp_path / "rules.yaml").write_text(files.rules())
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "30m", "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(content))
    done = subprocess.run(["promtool", "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_runbook() -> None:
    sections = set(re.findall(r"^## (.+)$", (PROJECT_ROOT / files.RUNBOOKS).read_text(), re.MULTILINE))
    assert {alert.runbook for alert in ALERTS} <= sections
    assert len({alert.name for alert in ALERTS}) == len(ALERTS) == len(OBJECTIVES) * len(BURNS) + len(STATES)


def test_the_files_of_prometheus_and_grafana_are_current() -> None:
    for file, text in files.files().items():
        assert file.read_text() == text, f"{file} is out of date; run make docs"


def pages(var: Path) -> dict[str, str]:
    """What each part's page of metrics says, of a platform in use."""
    settings = settings_in(var)
    paths = Paths.of(settings)
    beat(paths, "forwarder", forwarded=7, lag=1, damaged=0, kafka="connected")
    beat(paths, "flink", job_id="j", state="RUNNING", restarts=1, checkpoints=5, failed_checkpoints=0, last_error=None)
    row = dict.fromkeys(ONLINE_PARITY.columns, 0) | {
        "read_on": datetime.now(UTC).date() - timedelta(days=1),
        "feature": "f",
        "drift": 0.25,
    }
    beat(paths, "watch", problems=dict.fromkeys(CHECKS, 0) | {"gaps": 2})
    version = record(var, {ONLINE_PARITY: [row]})
    marts = MartsFile("marts/1-a.duckdb", "a", 1)
    now = datetime.now(UTC)
    Versions.of(settings).commit(TableVersion(version.number + 1, now, "t", version.number, version.snapshots, {}, marts))
    collector = CollectorMetrics()
    collector.accepted.labels("page").inc()
    collector.quarantined.labels("page", "missing_field").inc()
    collector.refused.labels("unknown_key").inc()
    states = ShopStates()
    states.of("a-secret-shop").release.published_at = time.time()
    log = ServedLog(var / "served", "1", 1.0)
    serving = ServingMetrics(states, StreamHealth(lag={0: 1}), Recent(), log, time.time)
    serving.count(200, "popular", 0.01)
    serving.workers = WorkerMetrics(1)
    portal = PortalMetrics(LiveStreams())
    portal.count("/shops/{shop_id}/today", "GET", 200, 0.05)
    portal.count_export("csv", 7)
    writer, platform = CollectorRegistry(), CollectorRegistry()
    writer.register(ProgressCollector(WriterProgress(lag={0: 1}, views={"person_1h": 2})))
    platform.register(PlatformCollector(settings))
    return {
        "collector": generate_latest(collector.registry).decode(),
        "serving": serving.page().decode(),
        "feature_writer": generate_latest(writer).decode(),
        "portal": generate_latest(portal.registry).decode(),
        "exporter": generate_latest(platform).decode(),
    }


def test_what_is_watched_exists_and_no_page_names_a_shop(tmp_path: Path) -> None:
    shown = pages(tmp_path)
    exposed: set[str] = set()
    for text in shown.values():
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
            exposed |= {name} if kind != "histogram" else {f"{name}_{part}" for part in ("bucket", "count", "sum")}
        assert "a-secret-shop" not in text
        labels = set(re.findall(r'[{,](\w+)="', text))
        assert labels <= {
            "sent_by",
            "reason",
            "code",
            "le",
            "status",
            "served_by",
            "partition",
            "outcome",
            "view",
            "part",
            "source",
            "check",
            "worker",
            "page",
            "method",
            "format",
        }
    watched = set.union(*(files.metrics_in(text) for text in (files.rules(), json.dumps(json.loads(files.dashboard())))))
    assert watched <= exposed, watched - exposed
    assert len(watched) > 20
    assert "jishi_online_parity_wrong_ratio 0.25\n" in shown["exporter"]
    assert 'jishi_watch_problems{check="gaps"} 2.0\n' in shown["exporter"]
    assert "jishi_forwarder_lag_events 1.0\n" in shown["exporter"]


def test_a_platform_without_anything_yet_is_scraped(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(PlatformCollector(settings_in(tmp_path / "var")))
    values: dict[str, Any] = {sample.name: sample.value for metric in registry.collect() for sample in metric.samples}
    names = {"jishi_disk_free_bytes", "jishi_disk_bytes", "jishi_online_parity_waiting_seconds", "jishi_watch_age_seconds"}
    assert values.keys() == names


def test_before_the_first_watch_its_age_counts_from_the_exporters_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    registry, alone = CollectorRegistry(), CollectorRegistry()
    registry.register(PlatformCollector(settings))
    alone.register(PlatformCollector(settings.model_copy(update={"parts": "collector,exporter"})))
    later = time.monotonic() + 3_700
    monkeypatch.setattr("ops.monitoring.exporter.time.monotonic", lambda: later)
    age = registry.get_sample_value("jishi_watch_age_seconds")
    assert age is not None
    assert age > 3_600
    assert alone.get_sample_value("jishi_watch_age_seconds") is None, "nobody watches where Airflow is no part"


def exported(settings: Settings) -> dict[str, float]:
    """Values of the exporter's page that have no label."""
    registry = CollectorRegistry()
    registry.register(PlatformCollector(settings))
    return {sample.name: sample.value for metric in registry.collect() for sample in metric.samples if not sample.labels}


def test_a_part_that_was_taken_away_is_silent_for_three_days_and_then_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    paths = Paths.of(settings)
    for part, days in (("forwarder", 2.9), ("feature_writer", 3.1)):
        beat(paths, part, lag=0, damaged=0, forwarded=0)
        file = paths.beats / f"{part}.heartbeat"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"at": time.time() - days * 86_400}))

    def silent() -> set[str]:
        registry = CollectorRegistry()
        registry.register(PlatformCollector(settings))
        metrics = [metric for metric in registry.collect() if metric.name == "jishi_part_heartbeat_age_seconds"]
        return {sample.labels["part"] for metric in metrics for sample in metric.samples}

    assert silent() == {"forwarder"}
    monkeypatch.setattr("ops.monitoring.exporter.states", lambda _: {"feature_writer": {"statename": "FATAL"}})
    assert silent() == {"forwarder", "feature_writer"}


def log_served_values(settings: Settings, on: date) -> None:
    folder = Paths.of(settings).served_values / on.isoformat()
    folder.mkdir(parents=True)
    (folder / "1.jsonl").write_text("{}\n")


def test_a_report_of_parity_holds_until_the_next_is_due(tmp_path: Path) -> None:
    settings, today = settings_in(tmp_path), datetime.now(UTC).date()
    row = dict.fromkeys(ONLINE_PARITY.columns, 0) | {"feature": "f", "drift": 0.25}
    days_old = {}
    for days in (5, 1, 0):
        record(tmp_path, {ONLINE_PARITY: [row | {"read_on": today - timedelta(days=days)}]})
        days_old[days] = exported(settings).get("jishi_online_parity_wrong_ratio")
    assert days_old == {5: None, 1: 0.25, 0: 0.25}


def add_versions(settings: Settings, numbers: range, marts: MartsFile, began: datetime) -> None:
    """Versions of the same marts, one a second."""
    versions = Versions.of(settings)
    versions.drop(0)
    rows = [(n, f"{began + timedelta(seconds=n):%Y-%m-%dT%H:%M:%S.%fZ}", n - 1 or None, asdict(marts)) for n in numbers]
    with closing(sqlite3.connect(versions.database)) as connection:
        sql = "insert into table_versions values (?, ?, 't', ?, '{}', '{}', ?)"
        connection.executemany(sql, [(number, at, base, json.dumps(file)) for number, at, base, file in rows])
        connection.commit()


def test_the_age_of_marts_is_that_of_their_first_version_however_many_came_since(tmp_path: Path) -> None:
    settings, began = settings_in(tmp_path), datetime.now(UTC) - timedelta(hours=40)
    add_versions(settings, range(1, 10), MartsFile("marts/0-a.duckdb", "a", 0), began)
    add_versions(settings, range(10, 1_300), MartsFile("marts/9-a.duckdb", "a", 9), began)
    assert exported(settings)["jishi_marts_age_seconds"] == pytest.approx(40 * 3600 - 10, abs=60)
    assert abs((marts_published_at(settings) or began) - began - timedelta(seconds=10)) < timedelta(seconds=1)
    [stale] = [each for each in ailments(settings, datetime.now(UTC)) if each.runbook == "marts-stale"]
    assert "40 hours old" in stale.says


def test_the_age_of_marts_whose_first_version_is_no_longer_kept_is_that_of_their_file(tmp_path: Path) -> None:
    settings, began = settings_in(tmp_path), datetime.now(UTC) - timedelta(hours=1)
    marts = MartsFile("marts/9-a.duckdb", "a", 9)
    add_versions(settings, range(10, 20), marts, began)
    assert exported(settings)["jishi_marts_age_seconds"] == pytest.approx(3600, abs=60), "at least, where there is no file"
    file = Paths.of(settings).warehouse / marts.file
    file.parent.mkdir(parents=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table build as select now() at time zone 'UTC' - interval 40 hours as built_at")
    assert exported(settings)["jishi_marts_age_seconds"] == pytest.approx(40 * 3600, abs=60)


def test_that_nobody_compares_is_a_state_of_its_own(tmp_path: Path) -> None:
    settings, today = settings_in(tmp_path), datetime.now(UTC).date()
    for days in (3, 2, 0):
        log_served_values(settings, today - timedelta(days=days))

    def waiting_days() -> float:
        return exported(settings)["jishi_online_parity_waiting_seconds"] // 86_400

    assert waiting_days() == 2, "since the end of the day three days ago"
    row = dict.fromkeys(ONLINE_PARITY.columns, 0) | {"feature": "f"}
    record(tmp_path, {ONLINE_PARITY: [row | {"read_on": today - timedelta(days=3)}]})
    assert waiting_days() == 1
    record(tmp_path, {ONLINE_PARITY: [row | {"read_on": today - timedelta(days=2)}]})
    assert exported(settings)["jishi_online_parity_waiting_seconds"] == 0, "yesterday nothing was logged, today is not over"
    log_served_values(settings, today - timedelta(days=1))
    assert exported(settings.model_copy(update={"served_values_rate": 0}))["jishi_online_parity_waiting_seconds"] == 0
