"""``jishi evaluate interactions`` on small tables: what it answers, and what it says about tables that are wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.protocols.__main__ import main

Table = dict[str, Sequence[Any]]
Judge = Callable[..., dict[str, Any]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    def run(train: Table | pd.DataFrame, test: Table | pd.DataFrame, *more: str) -> tuple[int, str]:
        pd.DataFrame(train).to_parquet(tmp_path / "T.parquet")
        pd.DataFrame(test).to_parquet(tmp_path / "E.parquet")
        files = ["--train", str(tmp_path / "T.parquet"), "--test", str(tmp_path / "E.parquet")]
        monkeypatch.setattr(sys, "argv", ["evaluate", "interactions", *files, "--json", str(tmp_path / "o.json"), *more])
        code = main()
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def judge(command: Callable[..., tuple[int, str]], tmp_path: Path) -> Judge:
    def run(train: Any, test: Any, *more: str) -> dict[str, Any]:
        code, output = command(train, test, *more)
        assert code == 0, output
        payload: dict[str, Any] = json.loads((tmp_path / "o.json").read_text())
        return payload

    return run


def two_tastes(name: Callable[[int], Any] = int, seed: int = 0) -> tuple[Table, Table]:
    """60 users of two tastes, ten items each; five of their own taste in train, one more in test."""
    rng = np.random.default_rng(seed)
    train: dict[str, list[Any]] = {"user_id": [], "item_id": []}
    test: dict[str, list[Any]] = {"user_id": [], "item_id": []}
    for user in range(60):
        items = user % 2 * 10 + rng.permutation(10)[:6]
        for place, item in enumerate(items):
            table = train if place < 5 else test
            table["user_id"].append(name(user))
            table["item_id"].append(name(int(item)))
    return train, test


def test_popularity_by_hand(judge: Judge) -> None:
    """Item a has three users, b two, c one. u1 has a and gets b, c; the stranger u9 gets a, b, c."""
    train = {"user_id": ["u1", "u2", "u3", "u2", "u3", "u3"], "item_id": ["a", "a", "a", "b", "b", "c"]}
    test = {"user_id": ["u1", "u9", "u9"], "item_id": ["c", "a", "unseen"]}
    result = judge(train, test, "--model", "popularity", "--k", "1", "2")
    assert result["metrics"]["recall@1"] == pytest.approx((0 + 1 / 2) / 2)
    assert result["metrics"]["recall@2"] == pytest.approx((1 + 1 / 2) / 2)
    assert result["metrics"]["ndcg@1"] == pytest.approx((0 + 1) / 2)
    assert result["metrics"]["ndcg@2"] == pytest.approx((1 / np.log2(3) + 1 / (1 + 1 / np.log2(3))) / 2, abs=1e-6)
    assert result["metrics"]["mrr@2"] == pytest.approx((1 / 2 + 1) / 2)
    assert result["data"]["test_users_without_training_rows"] == 1
    assert result["data"]["test_pairs_of_unknown_items"] == 1
    assert result["slices"]["without_training_rows"]["users"] == 1
    assert set(result["seconds"]) >= {"read", "fit", "rank", "total"}


def test_values_of_every_test_row_are_kept_when_asked(judge: Judge, tmp_path: Path) -> None:
    result = judge(*two_tastes(), "--model", "popularity", "--k", "5", "--per-user", str(tmp_path / "kept" / "v.parquet"))
    rows = pd.read_parquet(tmp_path / "kept" / "v.parquet")
    assert rows[list(result["metrics"])].mean().round(6).to_dict() == result["metrics"]
    assert len(rows) == result["data"]["test_users"]
    part = result["slices"]["with_training_rows"]
    assert part["intervals"]["recall@5"] == result["intervals"]["recall@5"]


@pytest.mark.parametrize("model", ["item_knn", "als", "ease", "gf_cf", "bspm", "auto"])
def test_a_model_that_sees_tastes_finds_them(judge: Judge, model: str) -> None:
    train, test = two_tastes()
    result = judge(train, test, "--model", model, "--k", "5")
    assert result["metrics"]["recall@5"] > 0.9


@pytest.mark.parametrize("name", [str, lambda n: n + 2**62, lambda n: f"用户-{n}", lambda n: float(n), lambda n: n + 2**63])
def test_ids_may_be_text_or_numbers_of_any_size(judge: Judge, name: Callable[[int], Any]) -> None:
    train, test = two_tastes(name)
    result = judge(train, test, "--model", "ease", "--k", "5")
    assert result["metrics"]["recall@5"] > 0.9
    assert result["data"]["test_users_without_training_rows"] == 0


def test_the_order_of_rows_changes_nothing(judge: Judge) -> None:
    train, test = two_tastes()
    shuffled = pd.DataFrame(train).sample(frac=1, random_state=1), pd.DataFrame(test).sample(frac=1, random_state=2)
    one, other = judge(train, test, "--model", "auto"), judge(*shuffled, "--model", "auto")
    assert one["metrics"] == other["metrics"]
    assert one["chosen"] == other["chosen"]


def test_rows_that_come_twice_count_once(judge: Judge) -> None:
    train, test = two_tastes()
    doubled = {name: [*values, *values] for name, values in train.items()}
    twice = {name: [*values, *values] for name, values in test.items()}
    assert judge(train, test, "--model", "ease")["metrics"] == judge(doubled, twice, "--model", "ease")["metrics"]


def test_a_pair_of_train_that_stands_in_test_is_never_hit(judge: Judge) -> None:
    result = judge({"user_id": [1, 1, 2], "item_id": [1, 2, 3]}, {"user_id": [1], "item_id": [1]}, "--model", "popularity")
    assert result["metrics"]["recall@10"] == 0
    assert result["data"]["test_pairs_already_in_train"] == 1


def test_masked_pairs_are_never_recommended(judge: Judge, tmp_path: Path) -> None:
    pd.DataFrame({"user_id": [1, 7], "item_id": [2, 99]}).to_parquet(tmp_path / "M.parquet")
    train, test = {"user_id": [1, 2, 2, 3], "item_id": [1, 2, 3, 2]}, {"user_id": [1], "item_id": [3]}
    plain = judge(train, test, "--model", "popularity", "--k", "1")
    masked = judge(train, test, "--model", "popularity", "--k", "1", "--mask", str(tmp_path / "M.parquet"))
    assert (plain["metrics"]["recall@1"], masked["metrics"]["recall@1"]) == (0, 1)


def test_parameters_of_a_named_model_are_used_and_unknown_ones_named(
    judge: Judge, command: Callable[..., tuple[int, str]]
) -> None:
    train, test = two_tastes()
    result = judge(train, test, "--model", "ease", "--parameters", '{"ridge": 3}')
    assert result["chosen"]["parts"] == {"ease": {"ridge": 3}}
    code, output = command(train, test, "--model", "ease", "--parameters", '{"rigde": 3}')
    assert code == 1
    assert "rigde" in output
    with pytest.raises(SystemExit):
        command(train, test, "--model", "auto", "--parameters", '{"ridge": 3}')


def test_one_user_one_item(judge: Judge) -> None:
    result = judge({"user_id": ["u"], "item_id": ["i"]}, {"user_id": ["u"], "item_id": ["j"]}, "--model", "auto")
    assert result["metrics"]["recall@10"] == 0
    assert result["chosen"]["parts"] == {"popularity": {}}


def test_a_constant_time_column_and_weights_are_fine(judge: Judge) -> None:
    train, test = two_tastes()
    more = {"timestamp": [5] * len(train["user_id"]), "weight": [1.0, 2.0, 0.5, 0.0, 3.0] * 60}
    result = judge({**train, **more}, {**test, "timestamp": [6] * 60}, "--model", "auto", "--k", "5")
    assert result["metrics"]["recall@5"] > 0.6  # the dropped item of weight 0 competes for the five places


GOOD = {"user_id": [1, 2], "item_id": [1, 2]}


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ({"item_id": [1]}, GOOD, "T.parquet has no column 'user_id' (it has item_id)"),
        (GOOD, {"user_id": [1], "item": [1]}, "E.parquet has no column 'item_id'"),
        ({"user_id": [], "item_id": []}, GOOD, "T.parquet has no rows"),
        (GOOD, {"user_id": [], "item_id": []}, "E.parquet has no rows"),
        ({"user_id": ["a", None], "item_id": [1, 2]}, GOOD, "column 'user_id' is empty in 1 of 2 rows"),
        ({"user_id": [1.5, 2], "item_id": [1, 2]}, GOOD, "column 'user_id' holds fractions"),
        ({"user_id": [[1], [2]], "item_id": [1, 2]}, GOOD, "column 'user_id' is of type"),
        ({"user_id": ["a", "b"], "item_id": [1, 2]}, GOOD, "column 'user_id' is text in one"),
        ({**GOOD, "weight": [1.0, np.nan]}, GOOD, "column 'weight' is empty, NaN or infinite in 1 of 2 rows"),
        ({**GOOD, "weight": [1.0, -2.0]}, GOOD, "column 'weight' is below 0 in 1 of 2 rows"),
        ({**GOOD, "weight": [0.0, 0.0]}, GOOD, "column 'weight' is 0 in every row"),
        ({**GOOD, "weight": ["much", "little"]}, GOOD, "column 'weight' is of type"),
        ({**GOOD, "timestamp": [1.0, np.nan]}, GOOD, "column 'timestamp' is empty"),
        ({**GOOD, "timestamp": ["yesterday", "today"]}, GOOD, "column 'timestamp' is of type"),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(
    command: Callable[..., tuple[int, str]], train: Table, test: Table, expected: str
) -> None:
    code, output = command(train, test, "--model", "auto")
    assert code == 1
    assert expected in output
    assert output.count("\n") == 1


def test_a_file_that_is_missing_or_no_parquet_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_text("user_id,item_id\n1,1\n")
    for file in (tmp_path / "nowhere.parquet", broken):
        monkeypatch.setattr(sys, "argv", ["evaluate", "interactions", "--train", str(file), "--test", str(file)])
        assert main() == 1
        assert file.name in capsys.readouterr().err
