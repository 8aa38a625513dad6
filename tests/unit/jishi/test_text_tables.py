"""Tables that a terminal is too narrow for keep every value, and only they are used."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest

from jishi.text_tables import PIPE_COLUMNS, TextTable, print_rows, text_console

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


@pytest.mark.parametrize(("columns", "is_table"), [(80, True), (30, False)])
def test_a_row_that_is_too_wide_is_lines_of_name_and_value(
    monkeypatch: pytest.MonkeyPatch, columns: int, is_table: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = StringIO()
    print_rows(
        text_console(file=lines), ["paid_in_currency_minor", "order_id", "[b]"], [["126", "o-1", ""], ["7", "o-2", "[/x]"]]
    )
    text = lines.getvalue()
    assert ("row 2" not in text) is is_table
    assert [text.count(word) for word in ("o-1", "o-2", "[/x]")] == [1, 1, 1]
    assert text.count("order_id") == (1 if is_table else 2)


def test_no_rows_of_many_columns_name_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = StringIO()
    print_rows(text_console(file=lines), [f"column_{number}" for number in range(30)], [])
    assert lines.getvalue().startswith("no rows of column_0, column_1")


def test_no_command_makes_a_table_or_a_console_of_another_kind() -> None:
    files = [file for part in (*PARTS, "dashboard", "quality", "ops") for file in (ROOT / part).rglob("*.py")]
    pattern = re.compile(r"from rich\.table import|(?<![\w.])Console\(")
    others = [file for file in files if file.name != "text_tables.py"]
    wrong = [str(file.relative_to(ROOT)) for file in others if pattern.search(file.read_text("utf-8"))]
    assert not wrong, f"take TextTable and text_console of jishi.text_tables: {wrong}"
