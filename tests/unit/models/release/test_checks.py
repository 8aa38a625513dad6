"""The truth table of the gate: what it refuses, and the sentence that says why."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.release.checks import LEAST_COVERAGE, LEAST_PERSONS, Check, decide_release

ITEMS = ["i0", "i1", "i2"]


def report() -> dict[str, Any]:
    """Both models beat popularity for sure; everything is just enough."""

    def metrics(mean: float, low: float, high: float) -> dict[str, Any]:
        gain = {"mean": mean - 0.1, "low": low, "high": high}
        return {
            "metrics": {"ndcg@10": {"mean": mean, "low": 0, "high": 1, "over_popularity": gain}},
            "coverage@20": LEAST_COVERAGE,
        }

    base = {"metrics": {"ndcg@10": {"mean": 0.1, "low": 0, "high": 1}}, "coverage@20": 0.0}
    models = {"popularity": base, "item_knn": metrics(0.2, 0.05, 0.15), "als": metrics(0.3, 0.1, 0.3)}
    return {"protocols": {"all_items": {"persons": LEAST_PERSONS, "models": models}}}


def states() -> dict[str, Any]:
    return {
        "popularity": {"sales": np.array([3, 2, 1], dtype=np.float32)},
        "item_knn": {"data": np.ones(3, dtype=np.float32), "items": np.array([3])},
        "als": {"item_factors": np.arange(6, dtype=np.float32).reshape(3, 2), "person_factors": np.ones((4, 2))},
    }


def gain(evaluation: dict[str, Any], name: str) -> dict[str, float]:
    return evaluation["protocols"]["all_items"]["models"][name]["metrics"]["ndcg@10"]["over_popularity"]


def loses(*names: str) -> Callable[..., None]:
    def change(evaluation: dict[str, Any], arrays: dict[str, Any], catalogue: set[str]) -> None:
        for name in names:
            gain(evaluation, name)["low"] = 0.0  # an interval that touches zero proves nothing

    return change


def few_persons(evaluation: dict[str, Any], arrays: dict[str, Any], catalogue: set[str]) -> None:
    evaluation["protocols"]["all_items"]["persons"] = LEAST_PERSONS - 1


def low_coverage(evaluation: dict[str, Any], arrays: dict[str, Any], catalogue: set[str]) -> None:
    for name in ("item_knn", "als"):
        evaluation["protocols"]["all_items"]["models"][name]["coverage@20"] = LEAST_COVERAGE - 1e-6


def unknown_items(evaluation: dict[str, Any], arrays: dict[str, Any], catalogue: set[str]) -> None:
    catalogue.discard("i1")


def nan_gain(evaluation: dict[str, Any], arrays: dict[str, Any], catalogue: set[str]) -> None:
    for name in ("item_knn", "als"):
        gain(evaluation, name)["low"] = float("nan")


def state(model: str, array: str, value: Any) -> Callable[..., None]:
    def change(evaluation: dict[str, Any], arrays: dict[str, Any], catalogue: set[str]) -> None:
        arrays[model][array] = np.asarray(value)

    return change


NAN = [[1.0, np.nan], [2.0, 1.0], [0.0, 3.0]]
# what is changed, released, models that beat popularity, a piece of the sentence
CASES = {
    "as it should be": (lambda *_: None, True, ["als", "item_knn"], "als and item_knn beat popularity"),
    "als loses": (loses("als"), True, ["item_knn"], "released: item_knn beat popularity"),
    "item_knn loses": (loses("item_knn"), True, ["als"], "released: als beat popularity"),
    "both lose": (loses("als", "item_knn"), False, [], "against popularity 0.1000"),
    "a gain that is no number": (nan_gain, False, [], "against popularity"),
    "few persons": (few_persons, False, ["als", "item_knn"], "19 test customers"),
    "low coverage": (low_coverage, False, ["als", "item_knn"], "lists cover 0.50% of the items"),
    "unknown items": (unknown_items, False, ["als", "item_knn"], "1 items are not in the shop's catalogue"),
    "popularity too small": (state("popularity", "sales", [1.0, 2.0]), False, ["als", "item_knn"], "{'popularity': 2}"),
    "item_knn too large": (state("item_knn", "items", [4]), False, ["als", "item_knn"], "{'item_knn': 4}"),
    "als too small": (state("als", "item_factors", NAN[1:]), False, ["als", "item_knn"], "{'als': 2}"),
    "NaN in the factors": (state("als", "item_factors", NAN), False, ["als", "item_knn"], "NaN or infinite"),
    "infinite persons": (state("als", "person_factors", [[np.inf]]), False, ["als", "item_knn"], "NaN or infinite"),
    "every item alike": (state("als", "item_factors", np.ones((3, 2))), False, ["als", "item_knn"], "same factors"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_gate(case: str) -> None:
    change, is_released, beats, message = CASES[case]
    evaluation, arrays, catalogue = report(), states(), set(ITEMS)
    change(evaluation, arrays, catalogue)
    before = copy.deepcopy(evaluation)
    decision = decide_release(evaluation, arrays, ITEMS, catalogue)
    assert (decision["is_released"], decision["beats_popularity"]) == (is_released, beats)
    assert message in decision["sentence"]
    assert decision["sentence"].startswith("released: " if is_released else "refused: ")
    assert len({check["name"] for check in decision["checks"]}) == 8
    assert repr(evaluation) == repr(before)


def test_a_placement_with_a_model_of_its_own_is_enough() -> None:
    """Neither of the ladder's models beats popularity, but a placement's model does; insane arrays are refused all the same."""
    evaluation, arrays = report(), states()
    loses("als", "item_knn")(evaluation, arrays, set(ITEMS))
    decision = decide_release(evaluation, arrays, ITEMS, set(ITEMS), ["home", "cart"])
    assert (decision["is_released"], decision["beats_popularity"]) == (True, [])
    assert decision["sentence"] == "released: home, cart have a model that beats popularity"
    arrays["als"]["item_factors"] = np.asarray(NAN)
    refused = decide_release(evaluation, arrays, ITEMS, set(ITEMS), ["home", "cart"])
    assert not refused["is_released"]
    assert "NaN or infinite" in refused["sentence"]


def test_what_the_release_in_use_does_better_refuses_and_is_told_either_way() -> None:
    worse, fine = Check("exploring", False, "exploring: worse"), Check("exploring", True, "exploring: too little")
    refused = decide_release(report(), states(), ITEMS, set(ITEMS), comparisons=[Check("champion", True, "better"), worse])
    assert (refused["is_released"], refused["sentence"]) == (False, "refused: exploring: worse")
    released = decide_release(report(), states(), ITEMS, set(ITEMS), comparisons=[Check("champion", True, "better"), fine])
    assert released["is_released"]
    assert released["sentence"].endswith("beat popularity; better; exploring: too little")
