"""A command whose publish the lake refuses ends with one sentence, as where this machine's clock is behind the lake's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from imports.__main__ import main as import_main
from jishi.lake import release
from jishi.lake.release import ClockBehind
from jishi.paths import Paths
from jishi.shops import Shop
from ops.cli.online_parity import online_parity
from quality.parity import online_run
from tests.lake import platform_of_commands

REFUSAL = "silver.items was last written at 04:00:00 UTC and it is 03:00:00 by this machine's clock. Nothing was published"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    """A platform with one shop."""
    with platform_of_commands(tmp_path / "var", monkeypatch, Shop(shop_id="a", name="A")) as paths:
        yield paths


def refuse(*_: Any, **__: Any) -> None:
    raise ClockBehind(REFUSAL)


def printed(main: Callable[[], object], arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run an entry point with these arguments; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    try:
        return main()
    except SystemExit as stopped:
        return stopped.code


@pytest.mark.parametrize(
    ("module", "publisher", "arguments", "code"),
    [
        ("decision_log.__main__", "build_decisions", ["--without-topic"], 1),
        ("feature_repo.__main__", "build", ["training-set"], 1),
        ("models.attribution.__main__", "publish_effects", [], 1),
        ("models.lifetime.__main__", "publish_forecast", [], 1),
        ("ops.marts", "build", ["build"], 1),
        ("quality.__main__", "replay", ["repair", "mapping.yaml"], 2),
    ],
)
def test_a_refused_publish_is_one_sentence(
    paths: Paths,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: str,
    publisher: str,
    arguments: list[str],
    code: int,
) -> None:
    command = import_module(module)
    monkeypatch.setattr(command, publisher, refuse)
    if module.startswith("quality"):
        monkeypatch.setattr(command, "load_mapping", lambda file: file)
    assert printed(command.main, arguments, monkeypatch) == code
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(f": {REFUSAL}")


def test_online_parity_says_so_too(paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    result = online_run.OnlineParity.__new__(online_run.OnlineParity)
    result.__dict__["drifts"] = ()
    monkeypatch.setattr(online_run, "check_served_values", lambda settings, on: result)
    monkeypatch.setattr(online_run, "publish", refuse)
    with pytest.raises(typer.Exit) as stopped:
        online_parity("2026-03-01")
    assert (stopped.value.exit_code, capsys.readouterr().err) == (2, f"error: {REFUSAL}\n")


def test_an_import_by_a_clock_that_is_an_hour_behind_keeps_what_was_there(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spend.csv"
    file.write_text("date,channel,amount,currency\n2026-03-01,app,5,EUR\n")
    arguments = ["spend", str(file), "--shop", "a"]
    assert printed(import_main, arguments, monkeypatch) == 0
    capsys.readouterr()

    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) - timedelta(hours=1)

    monkeypatch.setattr(release, "datetime", Behind)
    assert printed(import_main, arguments, monkeypatch) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: bronze.spend was last written at ")
    assert "Set it right, or wait until it is later. Nothing was published" in line
