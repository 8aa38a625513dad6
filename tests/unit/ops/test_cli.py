"""The ``jishi`` command: what it prints and how it ends."""

from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from jishi.features import FEATURES
from jishi.settings import PROJECT_ROOT, get_settings
from ops.cli import app

COMMANDS = {
    *("demo", "up", "down", "status", "doctor"),
    *("simulate", "import", "send", "recommend", "features", "quarantine", "reconcile", "keys", "evaluate"),
}


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path_factory.mktemp("cli") / "var"))
    get_settings.cache_clear()


def test_help_lists_every_command() -> None:
    output = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert [command for command in sorted(COMMANDS) if f" {command} " not in output] == []


def test_features_are_the_declared_ones() -> None:
    payload = json.loads(CliRunner().invoke(app, ["features", "--json"]).output)
    assert [feature["name"] for feature in payload] == [feature.name for feature in FEATURES]


def test_down_without_a_platform_is_fine() -> None:
    result = CliRunner().invoke(app, ["down"])
    assert (result.exit_code, result.output) == (0, "nothing was running\n")


def test_status_without_a_platform_is_not_healthy() -> None:
    assert CliRunner().invoke(app, ["status"]).exit_code == 1


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_a_look_at_a_platform_that_never_ran_writes_nothing(command: str) -> None:
    """Since Airflow's secrets are there it works up nights, so a look would have set that, too."""
    CliRunner().invoke(app, [command])
    assert not get_settings().var.exists()


def test_a_demo_ends_on_a_day_that_is_over() -> None:
    result = CliRunner().invoke(app, ["demo", "--until", "9998-12-31"], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "is not over" in result.output


def test_a_key_of_an_unknown_shop_is_refused_with_its_name() -> None:
    result = CliRunner().invoke(app, ["keys", "create", "nobody", "--right", "read"])
    assert result.exit_code == 2
    assert "nobody" in result.output


def test_a_bench_is_found_by_how_its_name_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys.modules["ops.cli.bench"], "hand_over", lambda module, *_, **__: asked.append(module))
    for name in ("simulated", "session", "open-bandit"):
        CliRunner().invoke(app, ["bench", name])
    assert asked == ["bench.simulated_shops", "bench.session", "bench.open_bandit"]
    assert "known: " in CliRunner().invoke(app, ["bench", "s"]).output.replace("\n", " ")


def test_benches_are_listed_with_one_line_each() -> None:
    lines = CliRunner().invoke(app, ["bench"]).output.splitlines()
    files = [file for file in (PROJECT_ROOT / "bench").glob("*.py") if "\ndef main(" in file.read_text()]
    assert {line.split()[0] for line in lines} == {file.stem.replace("_", "-") for file in files}
    assert len(lines) == len(files)
    assert all(len(line.split()) > 3 for line in lines)


def test_the_demo_refuses_shops_and_steps_that_it_does_not_know() -> None:
    assert "atlantis" in CliRunner().invoke(app, ["demo", "--shops", "atlantis"]).output
    assert "lunch" in CliRunner().invoke(app, ["demo", "--stop-after", "lunch"]).output


@pytest.mark.parametrize("command", [["metrics", "query", "gmv"], ["notebook", "publish"]])
def test_days_the_wrong_way_round_are_refused(command: list[str]) -> None:
    days = ["--since", "2026-11-30", "--until", "2026-11-01"]
    refused = CliRunner().invoke(app, [*command, *days], env={"COLUMNS": "200"})
    assert refused.exit_code == 2
    assert "2026-11-30 lies after 2026-11-01; swap them" in refused.output
