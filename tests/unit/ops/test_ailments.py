"""Each thing that jishi doctor knows is made once on purpose, and a platform without it is well."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from jishi.heartbeat import beat
from jishi.lake.versions import MartsFile, TableVersion, Versions
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shop, Shops
from ops import doctor, lifecycle, settings_in_use
from ops.ailments import ailments
from ops.parts import Part
from ops.ports import free_ports
from ops.supervisor import states
from tests.lake import settings_in

FORWARDER = {"forwarded": 9, "lag": 0, "damaged": 0, "kafka": "connected"}
FLINK = {"state": "RUNNING", "restarts": 0}
WRITER = {"lag": 0, "waiting_for": None}


def well(var: Path) -> Settings:
    """A platform that has all that the doctor looks at, and nothing wrong."""
    settings = settings_in(var)
    paths, now = Paths.of(settings), datetime.now(UTC)
    beat(paths, "forwarder", **FORWARDER)
    beat(paths, "flink", **FLINK)
    beat(paths, "feature_writer", **WRITER)
    Versions.of(settings).commit(TableVersion(1, now, "t", None, {}, {}, MartsFile("marts/1.duckdb", "a", 1)))
    release = paths.models / "a" / "releases" / "v1"
    release.mkdir(parents=True)
    (release / "als.npz").write_bytes(b"factors")
    manifest = {"sha256": {"als.npz": hashlib.sha256(b"factors").hexdigest()}}
    (release / "manifest.json").write_text(json.dumps(manifest))
    (paths.models / "a" / "CURRENT").write_text("v1\n")
    with Shops.edit(paths.shops_file) as shops:
        shops.create(Shop(shop_id="a", name="a"))
        shops.issue_key("a", "write", now=now - timedelta(days=90))
    settings_in_use.note(settings, paths)
    return settings


def _lagging(settings: Settings) -> None:
    beat(Paths.of(settings), "forwarder", **FORWARDER | {"lag": 5_000, "kafka": "away"})


def _damaged(settings: Settings) -> None:
    beat(Paths.of(settings), "forwarder", **FORWARDER | {"damaged": 3})


def _failed(settings: Settings) -> None:
    beat(Paths.of(settings), "flink", **FLINK | {"state": "FAILED"})


def _behind(settings: Settings) -> None:
    beat(Paths.of(settings), "feature_writer", **WRITER | {"lag": 5_000, "waiting_for": "the online store"})


def _stale(settings: Settings) -> None:
    versions = Versions.of(settings)
    versions.drop(2)
    built = datetime.now(UTC) - timedelta(hours=40)
    marts = MartsFile("marts/1.duckdb", "a", 1)
    Path(versions.database).unlink()
    versions.commit(TableVersion(1, built, "t", None, {}, {}, marts))
    versions.commit(TableVersion(2, datetime.now(UTC), "t", 1, {}, {}, marts))


def _cut(settings: Settings) -> None:
    (Paths.of(settings).models / "a" / "releases" / "v1" / "als.npz").write_bytes(b"fact")


def _gone(settings: Settings) -> None:
    shutil.rmtree(Paths.of(settings).models / "a" / "releases" / "v1")


def _set_back(settings: Settings) -> None:
    Versions.of(settings).commit(
        TableVersion(2, datetime.now(UTC) + timedelta(hours=2), "t", 1, {}, {}, MartsFile("m", "a", 1))
    )


def _changed(settings: Settings) -> None:
    settings_in_use.note(settings.model_copy(update={"wal_keep_s": 5}), Paths.of(settings))


def _rotated(settings: Settings) -> None:
    with Shops.edit(Paths.of(settings).shops_file) as shops:
        shops.rotate_keys("a", "write", now=datetime.now(UTC) - timedelta(days=40), keep_old=True)


class Case(NamedTuple):
    """What goes wrong, the runbook of its finding, and what it says."""

    harm: Callable[[Settings], None]
    runbook: str
    says: str


CASES = [
    Case(_lagging, "completeness", "5,000 acknowledged events are not in the event log; Kafka is away"),
    Case(_damaged, "completeness", "3 entries cannot be read; jishi reconcile"),
    Case(_failed, "stream-restarts", "the stream is FAILED"),
    Case(_behind, "freshness", "5,000 messages behind; it waits for the online store"),
    Case(_stale, "marts-stale", "the marts are 40 hours old"),
    Case(_cut, "release-unusable", r"als.npz has another content .* jishi models rollback a"),
    Case(_gone, "release-unusable", r"manifest.json is missing"),
    Case(_set_back, "clock", "newest version of the lake lies 7,[12]"),
    Case(_changed, "settings", "JISHI_WAL_KEEP_S: changed"),
    Case(_rotated, "keys", "a has a newer write key for 30 days: jishi keys revoke"),
]


def test_a_platform_that_is_well_has_no_ailment(tmp_path: Path) -> None:
    assert ailments(well(tmp_path), datetime.now(UTC)) == []
    assert ailments(settings_in(tmp_path / "nothing yet"), datetime.now(UTC)) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.harm.__name__)
def test_what_is_wrong_is_named_with_what_to_do(case: Case, tmp_path: Path) -> None:
    settings = well(tmp_path)
    case.harm(settings)
    [ailment] = ailments(settings, datetime.now(UTC))
    assert ailment.runbook == case.runbook
    assert re.search(case.says, ailment.says), ailment.says
    shown = [each for each in doctor.examine(settings) if each.what == case.runbook]
    assert [each.is_fine for each in shown] == [False]
    assert f"docs/operations/runbooks.md#{case.runbook}" in shown[0].detail


def test_a_disk_that_is_full_within_days_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = well(tmp_path)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "new.log").write_bytes(os.urandom(2**20))
    monkeypatch.setattr("ops.ailments.FULL_WITHIN_DAYS", shutil.disk_usage(tmp_path).total // 2**19)
    assert [each.runbook for each in ailments(settings, datetime.now(UTC))] == ["disk-full"]
    os.utime(tmp_path / "log" / "new.log", (1, 1))  # written long ago, it says nothing of tomorrow
    for file in tmp_path.rglob("*"):
        os.utime(file, (1, 1))
    assert "disk-full" not in [each.runbook for each in ailments(settings, datetime.now(UTC))]


def test_every_finding_has_its_runbook() -> None:
    sections = set(re.findall(r"^## (.+)$", (PROJECT_ROOT / doctor.RUNBOOKS).read_text(), re.MULTILINE))
    assert {case.runbook for case in CASES} | {"disk-full"} <= sections


def test_up_starts_again_what_changed_settings_concern_and_nothing_else(tmp_path: Path) -> None:
    ports = dict(zip(("collector", "serving"), free_ports(2), strict=True))
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    others = dict(zip(("flink_port", "kafka_controller_port"), free_ports(2), strict=True))
    settings = settings_in(tmp_path / "var").model_copy(update=others)
    paths = Paths.of(settings)

    def members(variable: str) -> list[Part]:
        return [Part(name, [*command, str(port)], port=port, environment={"SEEN": variable}) for name, port in ports.items()]

    messages: list[str] = []
    try:
        lifecycle.up(settings, messages.append, members("old"))
        first = {name: info["pid"] for name, info in states(paths).items()}
        lifecycle.up(settings, messages.append, members("old"))
        assert {name: info["pid"] for name, info in states(paths).items()} == first
        lifecycle.up(settings.model_copy(update={"collector_max_events": 7}), messages.append, members("new"))
        second = {name: info["pid"] for name, info in states(paths).items()}
        assert second["serving"] == first["serving"]
        assert second["collector"] != first["collector"]
        assert b"SEEN=new" in Path(f"/proc/{second['collector']}/environ").read_bytes()
        assert "changed: JISHI_COLLECTOR_MAX_EVENTS; starting again: collector" in messages
        assert settings_in_use.changed(settings, paths) == ["collector_max_events"]
    finally:
        lifecycle.down(settings, messages.append)


def test_a_setting_that_nobody_listed_concerns_every_part() -> None:
    assert settings_in_use.concerned(["kafka_bootstrap"], ["a", "b"]) == {"a", "b"}
    assert settings_in_use.concerned(["wal_keep_s"], ["collector", "serving"]) == {"collector"}
