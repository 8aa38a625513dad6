"""What optional columns add to ``jishi evaluate interactions``, and ``jishi evaluate compare``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.protocols.__main__ import main

# Item a has three users, b two, c and d one each; popularity ranks them a, b, c, d.
TRAIN = {
    "user_id": ["u1", "u2", "u3", "u2", "u3", "u3", "u4"],
    "item_id": ["a", "a", "a", "b", "b", "c", "d"],
    "category": ["hot", "hot", "hot", "hot", "hot", "cold", "cold"],
}
# u1 has a; the list is b, c, d. u9 is a stranger; the list is a, b, c.
TEST = {"user_id": ["u1", "u1", "u9", "u9"], "item_id": ["c", "b", "a", "unseen"], "amount": [30.0, 10.0, 5.0, 15.0]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pd.DataFrame(TRAIN).to_parquet(tmp_path / "T.parquet")
    pd.DataFrame(TEST).to_parquet(tmp_path / "E.parquet")
    return tmp_path


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str, expected: int = 0) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", ["evaluate", *words, "--json", str(folder / "o.json")])
    assert main() == expected
    result: dict[str, Any] = json.loads((folder / "o.json").read_text()) if expected == 0 else {}
    return result


def judge(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str, model: str = "popularity") -> dict[str, Any]:
    files = ["--train", str(folder / "T.parquet"), "--test", str(folder / "E.parquet")]
    return run(folder, monkeypatch, "interactions", *files, "--model", model, "--k", "2", *more)


def test_revenue_novelty_gini_and_map_by_hand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = judge(folder, monkeypatch)
    revenue = result["revenue"]
    assert revenue["users"] == 2
    assert revenue["metrics"]["revenue_recall@2"] == pytest.approx((40 / 40 + 5 / 20) / 2)
    first = (10 + 30 / log2(3)) / (30 + 10 / log2(3))
    second = 5 / (15 + 5 / log2(3))
    assert revenue["metrics"]["revenue_ndcg@2"] == pytest.approx((first + second) / 2, abs=1e-6)
    # PersonLists b, c and a, b; of 4 users 3 know a, 2 know b, 1 knows c.
    assert result["metrics"]["novelty@2"] == pytest.approx(((1 + 2) / 2 + (-log2(3 / 4) + 1) / 2) / 2, abs=1e-6)
    # Counts of d, a, c, b are 0, 1, 1, 2: Σ (2i − 5) c = −1 · 1 + 1 · 1 + 3 · 2 over 4 · 4.
    assert result["gini@2"] == pytest.approx(6 / 16)
    assert result["metrics"]["map@2"] == pytest.approx((1 + 1 / 2) / 2)


def test_slices_by_item_judge_only_the_items_of_a_group(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = judge(folder, monkeypatch)["slices_by_item"]
    assert set(slices) == {"head", "tail", "category=hot", "category=cold"}
    assert slices["head"]["users"] == 1  # a is the head: the first fifth of four items
    assert slices["head"]["recall@2"] == 1
    assert slices["category=cold"] == {
        "users": 1,
        "recall@2": 1,
        "ndcg@2": pytest.approx(1 / log2(3), abs=1e-6),
        "hit_rate@2": 1,
        "mrr@2": 0.5,
        "map@2": 0.5,
    }
    assert slices["category=hot"]["users"] == 2


def test_without_the_columns_there_is_nothing_of_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pd.DataFrame(TRAIN).drop(columns="category").to_parquet(folder / "T.parquet")
    pd.DataFrame(TEST).drop(columns="amount").to_parquet(folder / "E.parquet")
    result = judge(folder, monkeypatch)
    assert "revenue" not in result
    assert set(result["slices_by_item"]) == {"head", "tail"}


def test_an_amount_that_is_no_amount_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pd.DataFrame({**TEST, "amount": [1.0, -1.0, 2.0, np.nan]}).to_parquet(folder / "E.parquet")
    files = ["--train", str(folder / "T.parquet"), "--test", str(folder / "E.parquet"), "--model", "popularity"]
    run(folder, monkeypatch, "interactions", *files, expected=1)
    assert "column 'amount'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["category", "int64"])
def test_categories_may_be_of_any_plain_type(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    table = pd.DataFrame(TRAIN)
    table["category"] = table["category"].map({"hot": 1, "cold": 2}).astype(kind)
    table.to_parquet(folder / "T.parquet")
    assert set(judge(folder, monkeypatch)["slices_by_item"]) == {"head", "tail", "category=1", "category=2"}


def test_a_category_that_is_a_list_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pd.DataFrame(TRAIN).assign(category=[["hot"]] * 7).to_parquet(folder / "T.parquet")
    files = ["--train", str(folder / "T.parquet"), "--test", str(folder / "E.parquet"), "--model", "popularity"]
    run(folder, monkeypatch, "interactions", *files, expected=1)
    assert "column 'category' is of type" in capsys.readouterr().err


def test_two_runs_are_compared_user_by_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows: dict[str, list[Sequence[int]]] = {"train": [], "test": []}
    for user in range(60):
        items = user % 2 * 10 + rng.permutation(10)[:6]
        rows["train"] += [(user, int(item)) for item in items[:5]]
        rows["test"].append((user, int(items[5])))
    for name, file in (("train", "T.parquet"), ("test", "E.parquet")):
        pd.DataFrame(rows[name], columns=["user_id", "item_id"]).to_parquet(folder / file)
    means = []
    for model in ("popularity", "ease"):
        report = judge(folder, monkeypatch, "--per-user", str(folder / f"{model}.parquet"), model=model)
        means.append(report["metrics"]["recall@2"])
    result = run(folder, monkeypatch, "compare", str(folder / "popularity.parquet"), str(folder / "ease.parquet"))
    output = result["differences"]["recall@2"]
    assert result["users"] == 60
    assert output["mean"] == pytest.approx(means[1] - means[0], abs=1e-5)
    assert output["low"] > 0
    assert output["p_value"] < 0.05


def test_runs_over_different_users_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, users in (("a", [1, 2]), ("b", [1, 3]), ("c", [1, 1])):
        pd.DataFrame({"user_id": users, "recall@2": [0.5, 0.0]}).to_parquet(folder / f"{name}.parquet")
    run(folder, monkeypatch, "compare", str(folder / "a.parquet"), str(folder / "b.parquet"), expected=1)
    assert "different users" in capsys.readouterr().err
    run(folder, monkeypatch, "compare", str(folder / "a.parquet"), str(folder / "c.parquet"), expected=1)
    assert "names a user twice" in capsys.readouterr().err
