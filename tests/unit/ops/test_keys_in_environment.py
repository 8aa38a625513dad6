"""A shop's key reaches a command by the environment: everybody on the machine can read its arguments."""

from __future__ import annotations

import io
import subprocess
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

import collector.__main__
import collector.send
import simulator.__main__
from chaos import soak
from jishi.command_line import KEY_VARIABLE
from ops.cli import app
from ops.demo import run
from ops.demo.options import DemoOptions
from ops.demo.processes import DemoJob
from ops.demo.tenants import register
from simulator.live import LiveError
from tests.lake import settings_in


def test_the_demo_gives_its_traffic_the_key_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[DemoJob] = []
    monkeypatch.setattr(run, "run_together", lambda jobs, console: started.extend(jobs))
    demo = run.Demo(DemoOptions(until=date(2026, 9, 16)), settings_in(tmp_path), Console(file=io.StringIO()))
    demo.keys = register(demo.paths, demo.options.shops)
    demo._live()
    assert [job.environment for job in started] == [
        {KEY_VARIABLE: demo.keys[shop.shop_id].write} for shop in demo.options.simulated
    ]
    assert [word for job in started for word in job.command if word.startswith(("--key", "jk_"))] == []


def test_the_soak_gives_its_traffic_the_key_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, env, **_: started.append((command, env)))
    stage: Any = SimpleNamespace(url="http://127.0.0.1:1", paths=SimpleNamespace(log=tmp_path))
    soak._trade(stage, "lanting", "jk_write_x", 1, 1)
    [(command, environment)] = started
    assert environment[KEY_VARIABLE] == "jk_write_x"
    assert "jk_write_x" not in command


def test_recommend_takes_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(url: str, *, headers: dict[str, str], **_: Any) -> httpx.Response:
        asked.append(headers["Authorization"])
        return httpx.Response(403, json={"error": {"message": "no"}})

    monkeypatch.setattr(httpx, "get", get)
    CliRunner().invoke(app, ["recommend", "--shop", "a"], env={KEY_VARIABLE: "k"})
    assert asked == ["Bearer k"]


def test_send_and_simulate_take_the_key_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []

    def post_live(plan: object, url: str, key: str, **_: Any) -> None:
        used.append(key)
        raise LiveError

    def send_file(file: Path, *, key: str, **_: Any) -> collector.send.SendSummary:
        used.append(key)
        return collector.send.SendSummary()

    monkeypatch.setattr(simulator.__main__, "post_live", post_live)
    monkeypatch.setattr(collector.send, "send_file", send_file)
    CliRunner().invoke(collector.__main__.app, ["send", str(tmp_path / "e"), "--shop", "a"], env={KEY_VARIABLE: "k"})
    simulate = Typer()
    simulate.command()(simulator.__main__.run)
    CliRunner().invoke(simulate, ["--shop", "a", "--to", "http://127.0.0.1:1"], env={KEY_VARIABLE: "k"})
    assert used == ["k", "k"]


def test_a_persons_key_does_not_go_to_the_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from jishi.paths import Paths
    from ops import lifecycle

    settings = settings_in(tmp_path)
    monkeypatch.setenv(KEY_VARIABLE, "jk_read_x")
    monkeypatch.setattr(lifecycle, "java_home", lambda envs: tmp_path)
    assert KEY_VARIABLE not in lifecycle.common_environment(settings, Paths.of(settings))
