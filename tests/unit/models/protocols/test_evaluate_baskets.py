"""``jishi evaluate baskets`` on small tables, in both of their forms."""

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
    def run(train: Any, test: Any, *more: str) -> tuple[int, str]:
        pd.DataFrame(train).to_parquet(tmp_path / "T.parquet")
        pd.DataFrame(test).to_parquet(tmp_path / "E.parquet")
        files = ["--train", str(tmp_path / "T.parquet"), "--test", str(tmp_path / "E.parquet")]
        monkeypatch.setattr(sys, "argv", ["evaluate", "baskets", *files, "--json", str(tmp_path / "o.json"), *more])
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


TRAIN = {"user_id": ["u", "u", "v", "w"], "items": [["a", "b", "b"], ["a"], ["c"], ["c", "b"]]}
TEST = {"user_id": ["u", "stranger", "v"], "items": [["a", "b", "new"], ["b"], ["a"]]}


def test_personal_frequency_by_hand(judge: Callable[..., dict[str, Any]]) -> None:
    """Popularity: b three lines, a and c two each. u: a, b, c; the stranger: b, a, c; v: c, b, a."""
    result = judge(TRAIN, TEST, "--model", "personal_frequency", "--k", "1", "2")
    assert result["metrics"]["recall@1"] == pytest.approx((1 / 3 + 1 + 0) / 3, abs=1e-6)
    assert result["metrics"]["recall@2"] == pytest.approx((2 / 3 + 1 + 0) / 3, abs=1e-6)
    assert result["metrics"]["ndcg@2"] == pytest.approx((1 + 1 + 0) / 3, abs=1e-6)
    assert result["data"]["test_items_unknown"] == 1
    assert result["data"]["test_baskets_of_unknown_users"] == 1
    assert result["slices"]["without_training_rows"]["recall@1"] == 1


def long_form(table: dict[str, list[Any]]) -> dict[str, list[Any]]:
    rows = [(user, number, item) for number, (user, items) in enumerate(zip(*table.values(), strict=True)) for item in items]
    return {name: [row[place] for row in rows] for place, name in enumerate(("user_id", "basket_id", "item_id"))}


@pytest.mark.parametrize("model", ["popularity", "personal_frequency", "tifu_knn", "succession", "auto"])
def test_both_forms_say_the_same(judge: Callable[..., dict[str, Any]], model: str) -> None:
    lists, lines = judge(TRAIN, TEST, "--model", model), judge(long_form(TRAIN), long_form(TEST), "--model", model)
    assert lists["metrics"] == lines["metrics"]
    without = {name: column for name, column in long_form(TEST).items() if name != "basket_id"}
    assert judge(long_form(TRAIN), without, "--model", model)["metrics"] == lists["metrics"]


def test_time_decides_which_basket_is_the_last(judge: Callable[..., dict[str, Any]]) -> None:
    train = {"user_id": [1, 1, 2, 2], "items": [[7], [8], [7], [9]], "timestamp": pd.to_datetime([5, 4, 1, 2], unit="D")}
    result = judge(train, {"user_id": [1], "items": [[9]]}, "--model", "succession", "--k", "1")
    assert result["metrics"]["recall@1"] == 1  # after 7 came 9


@pytest.mark.parametrize(("asked_day", "recall"), [(20.0, 1), (12.5, 0)])
def test_when_a_basket_is_asked_for_decides_what_is_due(
    judge: Callable[..., dict[str, Any]], asked_day: float, recall: float
) -> None:
    """a came again after ten days, b was bought on day 12: on day 20 a is due, half a day after b it is not."""
    train = {"user_id": [1, 1, 1], "items": [["a"], ["a"], ["b"]], "timestamp": pd.to_datetime([1, 11, 13], unit="D")}
    test = {"user_id": [1], "items": [["a"]], "timestamp": pd.to_datetime([1 + asked_day], unit="D")}
    parameters = json.dumps({"epochs": 0, "own_share": 1.0, "unit": 0.1})
    result = judge(train, test, "--model", "taiwi", "--k", "1", "--parameters", parameters)
    assert (result["metrics"]["recall@1"], result["data"]["test_times_known"]) == (recall, True)
    untimed = judge(train, {name: test[name] for name in ("user_id", "items")}, "--model", "taiwi", "--k", "1")
    assert untimed["data"]["test_times_known"] is False


def test_auto_learns_a_habit(judge: Callable[..., dict[str, Any]]) -> None:
    rng = np.random.default_rng(0)
    train: dict[str, list[Any]] = {"user_id": [], "items": []}
    for user in range(80):
        for _ in range(6):
            train["user_id"].append(f"u{user}")
            train["items"].append([f"i{user % 30}", f"i{rng.integers(30)}"])
    test = {"user_id": [f"u{user}" for user in range(80)], "items": [[f"i{user % 30}"] for user in range(80)]}
    result = judge(train, test)
    assert result["metrics"]["recall@10"] > 0.9
    assert result["trials"]


def test_several_test_baskets_of_a_user_are_each_judged(judge: Callable[..., dict[str, Any]]) -> None:
    test = {"user_id": ["u", "v", "u"], "items": [["a"], ["c"], ["c"]]}
    result = judge(TRAIN, test, "--model", "personal_frequency", "--k", "1")
    assert result["metrics"]["recall@1"] == pytest.approx(2 / 3, abs=1e-6)
    assert result["data"]["test_baskets"] == 3


def test_one_user_one_item(judge: Callable[..., dict[str, Any]]) -> None:
    result = judge({"user_id": [1], "items": [[1]]}, {"user_id": [1], "items": [[1]]}, "--model", "auto")
    assert result["metrics"]["recall@10"] == 1


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ({"items": [[1]]}, TEST, "T.parquet has no column 'user_id'"),
        ({"user_id": ["u"], "things": [["a"]]}, TEST, "T.parquet has no column 'items'"),
        ({"user_id": ["u"], "item_id": ["a"]}, TEST, "T.parquet has no column 'basket_id'"),
        (TRAIN, {"user_id": [], "items": []}, "E.parquet has no rows"),
        ({"user_id": ["u"], "items": [[]]}, TEST, "every list of column 'items' is empty"),
        ({"user_id": ["u"], "items": ["a"]}, TEST, "column 'items' is of type"),
        ({"user_id": [None, "u"], "items": [["a"], ["a"]]}, TEST, "column 'user_id' is empty in 1 of 2 rows"),
        ({"user_id": [1], "items": [["a"]]}, TEST, "column 'user_id' is text in one"),
        ({**TRAIN, "timestamp": [1.0, np.nan, 2.0, 3.0]}, TEST, "column 'timestamp' is empty"),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(command: Command, train: Any, test: Any, expected: str) -> None:
    code, output = command(train, test)
    assert code == 1
    assert expected in output
    assert output.count("\n") == 1
