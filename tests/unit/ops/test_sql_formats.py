"""``jishi sql --format json`` writes lines that every JSON reader takes, and no column is lost."""

from __future__ import annotations

import json

import duckdb
import pytest

from ops.cli.sql import write_json_lines


def lines_of(query: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    with duckdb.connect() as connection:
        cursor = connection.execute(query)
        write_json_lines([column[0] for column in cursor.description], cursor)
    return [json.loads(line, parse_constant=refuse) for line in capsys.readouterr().out.splitlines()]


def test_what_is_no_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    query = "select 'nan'::double as a, '-inf'::double as b, [1.5, 'inf'::double] as c, {'x': 'nan'::double} as d, 2 as e"
    assert lines_of(query, capsys) == [{"a": None, "b": None, "c": [1.5, None], "d": {"x": None}, "e": 2}]


def test_two_columns_of_one_name_are_both_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of("select 1 as a, 2 as a, 3 as a_1", capsys) == [{"a": 1, "a_1": 2, "a_1_1": 3}]
