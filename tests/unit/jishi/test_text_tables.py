"""Tables that a terminal is too narrow for keep every value, and only they are used."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest

from jishi.text_tables import PIPE_COLUMNS, TextTable, text_console

ROOT = Path(__file__).parents[3]
PARTS = ("jishi", "collector", "imports", "simulator", "spark_jobs", "decision_log", "models", "feature_repo", "serving")


@pytest.mark.parametrize("columns", [40, 80, 150])
def test_no_value_is_cut(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    table = TextTable("shop", "time zone", "keys")
    table.add_column("since")
    table.add_row("a" * 60, "America/Argentina/Buenos_Aires", "1 read, 1 track, 1 write", "2026-12-01")
    lines = StringIO()
    text_console(file=lines).print(table)
    text = lines.getvalue()
    assert "…" not in text
    assert all(len(line) <= columns for line in text.splitlines())
    cells = [re.split("[│┃]", line)[1:-1] for line in text.splitlines() if "│" in line]
    zone = "".join(row[1].strip() for row in cells)
    assert zone == "America/Argentina/Buenos_Aires"


def test_a_pipe_gets_lines_of_one_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert text_console(file=StringIO()).width == PIPE_COLUMNS


def test_no_command_makes_a_table_or_a_console_of_another_kind() -> None:
    files = [file for part in (*PARTS, "dashboard", "quality", "ops") for file in (ROOT / part).rglob("*.py")]
    pattern = re.compile(r"from rich\.table import|(?<![\w.])Console\(")
    others = [file for file in files if file.name != "text_tables.py"]
    wrong = [str(file.relative_to(ROOT)) for file in others if pattern.search(file.read_text("utf-8"))]
    assert not wrong, f"take TextTable and text_console of jishi.text_tables: {wrong}"
