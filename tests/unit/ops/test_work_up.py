"""``jishi import … --work-up``: what runs, what a failure says, and the sums by month; parts are replaced by a script."""

from __future__ import annotations

import json
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.tables import SILVER_QUARANTINE
from ops.cli import app
from ops.order_sums import MonthSums, print_sums, sums_table
from tests.lake import publish

SCRIPT = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[3:]) + "\\n")
plan = json.loads((folder / "plan").read_text())
sys.exit(next((code for name, code in plan.items() if name in " ".join(sys.argv[3:])), 0))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    script = tmp_path / "python"
    script.write_text(SCRIPT.format(python=sys.executable, folder=str(tmp_path)))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(Paths, "main_python", staticmethod(lambda: script))
    (tmp_path / "plan").write_text("{}")
    yield tmp_path
    get_settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["import", *arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def calls(folder: Path) -> list[list[str]]:
    file = folder / "calls"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


ORDERS = ("orders", "o.csv", "--shop", "s", "--preset", "shopify")


def test_an_import_is_worked_up_to_its_release(folder: Path) -> None:
    result = run(*ORDERS, "--work-up")
    assert result.exit_code == 0, result.output
    assert [call[:2] for call in calls(folder)] == [
        ["imports", "orders"],
        ["imports", "history"],
        ["spark_jobs", "silver"],
        ["ops.marts", "build"],
        ["models.after_marts"],
        ["feature_repo", "daily"],
        ["models", "train"],
        ["models", "evaluate"],
        ["serving.judge", "--shop"],
        ["models", "gate"],
        ["models", "publish"],
    ]
    assert calls(folder)[0] == ["imports", *ORDERS]


def test_without_it_only_the_files_are_read(folder: Path) -> None:
    assert run(*ORDERS).exit_code == 0
    assert calls(folder) == [["imports", *ORDERS]]


def test_a_failed_import_is_not_worked_up(folder: Path) -> None:
    (folder / "plan").write_text('{"imports orders": 2}')
    assert run(*ORDERS, "--work-up").exit_code == 2
    assert len(calls(folder)) == 1


def test_a_failed_step_is_named_with_its_log_and_the_way_on(folder: Path) -> None:
    (folder / "plan").write_text('{"spark_jobs silver": 1, "ops.marts": 99}')
    result = run("history", "--shop=s", "--work-up")
    assert result.exit_code == 1
    text = re.sub(r"\s+", " ", result.output)
    assert "(silver) failed (exit 1)" in text
    assert "work-up.log" in text
    assert "jishi import history --shop s --work-up" in text
    assert [call[:2] for call in calls(folder)] == [["imports", "history"], ["spark_jobs", "silver"]]


def test_a_step_without_data_is_no_failure(folder: Path) -> None:
    (folder / "plan").write_text('{"ops.marts": 99}')
    result = run("history", "--shop", "s", "--work-up")
    assert result.exit_code == 0
    assert "nothing to do" in result.output


@pytest.mark.parametrize(
    ("arguments", "fix"), [((*ORDERS, "--dry-run", "--work-up"), "dry run"), (("history", "--work-up"), "name the shop")]
)
def test_what_cannot_be_worked_up_is_refused_before_anything_runs(folder: Path, arguments: tuple[str, ...], fix: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert fix in result.output
    assert calls(folder) == []


def test_sums_are_in_major_units_of_each_currency() -> None:
    from rich.console import Console

    months = [
        MonthSums("2026-01", "EUR", 2, 3050, 50, 0, 3000, 1000),
        MonthSums("2026-02", "EUR", 1, 950, 0, 100, 1050, 0),
        MonthSums("2026-01", "JPY", 1, 1500, 0, 0, 1500, 0),
    ]
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(sums_table("s", months))
    rows = [row.split() for row in re.sub("[│┃]", " ", console.export_text()).splitlines()]
    assert ["2026-01", "EUR", "2", "30.50", "0.50", "0.00", "30.00", "10.00"] in rows
    assert ["all", "EUR", "3", "40.00", "0.50", "1.00", "40.50", "10.00"] in rows
    assert ["all", "JPY", "1", "1,500", "0", "0", "1,500", "0"] in rows


def test_no_number_is_cut_on_a_narrow_terminal() -> None:
    from rich.console import Console

    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_sums(console, "s", [MonthSums("2026-01", "EUR", 12_345, 1_234_567_890, 9_876_543, 1_234_567, 1_225_925_914, 77_777)])
    shown = console.export_text()
    for number in ("12,345", "12,345,678.90", "98,765.43", "12,345.67", "12,259,259.14", "777.77"):
        assert number in shown.split()


def test_a_shop_without_orders_is_told_how_they_get_there() -> None:
    from rich.console import Console

    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_sums(console, "s", [])
    assert "--work-up" in console.export_text()


def test_what_was_refused_is_named_at_the_end(folder: Path) -> None:
    row = {"collector_id": "history:s", "batch": "history", "shop_id": "s", "outcome": "invalid", "line": "{}"}
    rows = [row | {"seq": seq, "reason": "missing_field", "field": "properties.title"} for seq in (1, 2)]
    rows += [row | {"seq": 3, "reason": "bad_value", "field": None}, row | {"seq": 4, "reason": "bad_value", "shop_id": "t"}]
    publish(folder / "var", {SILVER_QUARANTINE: rows})
    output = run(*ORDERS, "--work-up").output
    assert "2 in quarantine: missing_field properties.title" in output
    assert "1 in quarantine: bad_value" in output
    assert "jishi quarantine list --shop s" in output
