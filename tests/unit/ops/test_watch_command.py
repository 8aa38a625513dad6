"""``jishi watch`` prints each problem and leaves their number by check, without a shop's name, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from typer.testing import CliRunner

from jishi.settings import Settings, get_settings
from ops.cli import app
from ops.monitoring.exporter import PlatformCollector
from quality import watch


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


def exported(settings: Settings) -> str:
    registry = CollectorRegistry()
    registry.register(PlatformCollector(settings))
    return generate_latest(registry).decode()


def test_what_is_found_is_counted_by_check_until_it_is_over(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    noticed = [
        watch.Problem("quarantine.lanting", "6.0%"),
        watch.Problem("quarantine.b", "7.0%"),
        watch.Problem("lag", "900 s"),
    ]
    monkeypatch.setattr(watch, "problems", lambda settings, now: noticed)
    before = exported(settings)
    assert ("\njishi_watch_problems{" in before, "# TYPE jishi_watch_problems gauge" in before) == (False, True)
    assert (
        "\njishi_watch_age_seconds 0.0" in before
    )  # counts from the exporter's start, or a first look that never comes alerts nobody
    shown = CliRunner().invoke(app, ["watch"])
    assert (shown.exit_code, shown.output.splitlines()[0]) == (1, "quarantine.lanting: 6.0%")
    metrics = exported(settings)
    assert 'jishi_watch_problems{check="quarantine"} 2.0\n' in metrics
    assert 'jishi_watch_problems{check="lag"} 1.0\n' in metrics
    assert 'jishi_watch_problems{check="held"} 0.0\n' in metrics
    assert "lanting" not in metrics
    noticed.clear()
    assert CliRunner().invoke(app, ["watch"]).exit_code == 0
    assert 'jishi_watch_problems{check="quarantine"} 0.0\n' in exported(settings)


def test_a_check_that_fails_is_no_look(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings, now: object) -> list[watch.Problem]:
        raise RuntimeError("the lake is away")

    monkeypatch.setattr(watch, "problems", broken)
    assert CliRunner().invoke(app, ["watch"]).exit_code == 1
    assert "\njishi_watch_problems{" not in exported(settings)
