"""Who forbade personalised answers after the backup: known again with the old platform's log, and named as unknown without."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from ops.backup.copying import BackupFailed, backup
from ops.backup.restoring import read_manifest, restore, unknown_since
from ops.cli import app
from ops.kafka import running_broker
from serving.consents import Consents
from serving.log_records import Lateness
from serving.orders import LiveOrders
from serving.shop_state import ShopStates
from serving.stream import LiveState, StreamHealth, follow
from tests.lake import publish

pytestmark = pytest.mark.integration
BEFORE, AFTER = "forbade-before", "forbade-after"


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.fixture
def lost(platform: Any, tmp_path: Path) -> tuple[Any, Path]:
    """A platform that is down, and its backup, which was made between two choices."""
    wal = platform.paths.wal
    wal.mkdir(parents=True)
    (wal / "collector_id").write_text("c1\n")
    (wal / "segment-0.log").write_bytes(b"one")
    publish(platform.settings.var, {})
    platform.register("a")
    with running_broker(platform.broker, tmp_path / "broker.log"):
        platform.choose("a", BEFORE, is_allowed=False)
        backup(platform.settings, tmp_path / "backup", datetime.now(UTC), quiet)
        platform.choose("a", AFTER, is_allowed=False)
    (wal / "segment-0.log").write_bytes(b"one, and not yet forwarded")
    return platform, tmp_path / "backup"


def choices(platform: Any, settings: Settings, log: Path, until: Callable[..., Any]) -> Consents:
    """What serving knows when it has read the log of a restored platform."""
    consents, health, stop = Consents(), StreamHealth(), threading.Event()
    live = LiveState(ShopStates(), LiveOrders(), consents)
    broker = replace(platform.broker, folder=Paths.of(settings).kafka)
    with running_broker(broker, log):
        arguments = (KafkaCluster(broker.bootstrap), live, Lateness(60, 60), health, stop, lambda: None)
        reader = threading.Thread(target=follow, args=arguments)
        reader.start()
        try:
            until(lambda: health.has_caught_up)
        finally:
            stop.set()
            reader.join()
    return consents


@pytest.mark.parametrize("with_log", [True, False])
def test_choices_after_the_backup(
    lost: tuple[Any, Path], tmp_path: Path, until: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, with_log: bool
) -> None:
    platform, source = lost
    new = platform.settings.model_copy(update={"var": tmp_path / "new"})
    monkeypatch.setenv("JISHI_VAR", str(new.var))
    get_settings.cache_clear()
    options = ["--log", str(platform.settings.var)] if with_log else []
    result = CliRunner().invoke(app, ["restore", str(source), *options])
    assert result.exit_code == 0, result.output
    assert ("NOT KNOWN: what was acknowledged after" in result.output) is not with_log
    consents = choices(platform, new, tmp_path / "broker.log", until)
    assert not consents.allow("a", [f"u:{BEFORE}"])
    assert consents.allow("a", [f"u:{AFTER}"]) is not with_log
    segment = (Paths.of(new).wal / "segment-0.log").read_bytes()
    assert segment == (b"one, and not yet forwarded" if with_log else b"one")


def test_what_the_log_does_not_reach_is_named_and_another_platforms_is_refused(lost: tuple[Any, Path], tmp_path: Path) -> None:
    platform, source = lost
    manifest = read_manifest(source)
    created = datetime.fromisoformat(manifest.created_at)
    assert unknown_since(manifest, created + timedelta(days=6), has_log=True) is None
    late = unknown_since(manifest, created + timedelta(days=9), has_log=True)
    assert late is not None
    assert f"between {manifest.created_at} and {(created + timedelta(days=2)).isoformat(timespec='seconds')}" in late
    new = platform.settings.model_copy(update={"var": tmp_path / "new"})
    with pytest.raises(BackupFailed, match="holds no write-ahead log"):
        restore(new, source, quiet, log_of=tmp_path / "nothing")
    (platform.paths.wal / "collector_id").write_text("c2\n")
    with pytest.raises(BackupFailed, match="is not that of the platform"):
        restore(new, source, quiet, log_of=platform.settings.var)
    assert not new.var.exists()
