"""``jishi evaluate sessions`` on small tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.protocols.__main__ import main

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(train: dict[str, Any], test: dict[str, Any], *more: str) -> tuple[int, str]:
        pd.DataFrame(train).to_parquet(tmp_path / "T.parquet")
        pd.DataFrame(test).to_parquet(tmp_path / "E.parquet")
        files = ["--train", str(tmp_path / "T.parquet"), "--test", str(tmp_path / "E.parquet")]
        monkeypatch.setattr(sys, "argv", ["evaluate", "sessions", *files, "--json", str(tmp_path / "o.json"), *more])
        return main(), capsys.readouterr().err

    return run


@pytest.fixture
def judge(command: Command, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(*arguments: Any) -> dict[str, Any]:
        code, output = command(*arguments)
        assert code == 0, output
        payload: dict[str, Any] = json.loads((tmp_path / "o.json").read_text())
        return payload

    return run


def circles(name: Callable[[int], Any], sessions: int, seed: int) -> list[list[Any]]:
    rng = np.random.default_rng(seed)
    return [[name(int((start + step) % 30)) for step in range(5)] for start in rng.integers(30, size=sessions)]


def test_markov_by_hand(judge: Callable[..., dict[str, Any]]) -> None:
    train = {"items": [["a", "b"], ["a", "b"], ["a", "c"], ["d"]]}
    test = {"prefix": [["a"], ["a"], ["zzz"], []], "next": ["b", "c", "unseen", "a"]}
    result = judge(train, test, "--model", "markov", "--k", "1", "2")
    assert result["metrics"]["hit_rate@1"] == pytest.approx(2 / 4)  # b first after a; a is popular
    assert result["metrics"]["hit_rate@2"] == pytest.approx(3 / 4)
    assert result["metrics"]["mrr@2"] == pytest.approx((1 + 1 / 2 + 0 + 1) / 4)
    assert result["data"]["test_rows_with_unknown_next"] == 1
    assert result["data"]["test_prefixes_without_known_items"] == 2


@pytest.mark.parametrize("name", [int, str, lambda n: n + 2**62])
def test_auto_finds_the_circle(judge: Callable[..., dict[str, Any]], name: Callable[[int], Any]) -> None:
    rows = circles(name, 60, 1)
    test = {"prefix": [row[:-1] for row in rows], "next": [row[-1] for row in rows]}
    result = judge({"items": circles(name, 700, 0)}, test)
    assert result["metrics"]["hit_rate@20"] == 1
    assert result["metrics"]["mrr@20"] > 0.9
    assert result["chosen"]["model"]


def test_a_time_column_orders_the_sessions(judge: Callable[..., dict[str, Any]]) -> None:
    rows = circles(str, 300, 0)
    at = np.arange(300)
    test = {"prefix": [row[:3] for row in rows[:40]], "next": [row[3] for row in rows[:40]]}
    sorted_rows = judge({"items": rows, "timestamp": at}, test, "--model", "knn")
    turned = judge({"items": rows[::-1], "timestamp": at[::-1]}, test, "--model", "knn")
    assert sorted_rows["metrics"] == turned["metrics"]


def test_one_session_of_one_item(judge: Callable[..., dict[str, Any]]) -> None:
    result = judge({"items": [["a"]]}, {"prefix": [["a"]], "next": ["a"]}, "--model", "auto")
    assert result["metrics"]["hit_rate@20"] == 1


GOOD_TRAIN, GOOD_TEST = {"items": [[1, 2], [2, 3]]}, {"prefix": [[1]], "next": [2]}


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ({"sessions": [[1]]}, GOOD_TEST, "T.parquet has no column 'items'"),
        (GOOD_TRAIN, {"prefix": [[1]]}, "E.parquet has no column 'next'"),
        (GOOD_TRAIN, {"next": [1]}, "E.parquet has no column 'prefix'"),
        ({"items": []}, GOOD_TEST, "T.parquet has no rows"),
        ({"items": [[], []]}, GOOD_TEST, "every list of column 'items' is empty"),
        ({"items": [1, 2]}, GOOD_TEST, "column 'items' is of type int64; each row must be a list"),
        ({"items": [["a", None]]}, GOOD_TEST, "a list of column 'items' has an empty place"),
        ({"items": [[1.5]]}, GOOD_TEST, "column 'items' holds fractions"),
        (GOOD_TRAIN, {"prefix": [["a"]], "next": [2]}, "column 'prefix' is text in one"),
        (GOOD_TRAIN, {"prefix": [[1]], "next": ["b"]}, "column 'next' is text where the training ids are numbers"),
        (GOOD_TRAIN, {"prefix": [[1], [2]], "next": [2, None]}, "column 'next' is empty in 1 of 2 rows"),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(command: Command, train: Any, test: Any, expected: str) -> None:
    code, output = command(train, test)
    assert code == 1
    assert expected in output
    assert output.count("\n") == 1


def test_a_blend_that_cannot_be_learnt_says_what_to_use(command: Command) -> None:
    code, output = command(GOOD_TRAIN, GOOD_TEST, "--model", "blend")
    assert code == 1
    assert "use --model knn or auto" in output
