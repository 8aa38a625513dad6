"""PersonLists, their metrics by hand, and the verdict on a placement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from models.algorithms.top_products import top_products, top_products_with_causes
from models.candidates.person_lists import LENGTH, PersonLists
from models.candidates.recipes import RECIPES
from models.data.sequences import Sequences
from models.evaluation.comparison import BASELINE
from models.evaluation.metrics import MAIN_METRIC
from models.evaluation.placement_evaluation import lists_of, placement_report, values_of
from models.evaluation.placement_questions import Cases
from models.release.checks import LEAST_COVERAGE, LEAST_PERSONS
from models.release.model_choice import LADDER, choose_recipe

FILL = np.array([3, 1, 0, 2, 4])  # the order of sales


def matrix(rows: list[dict[int, float]], items: int = 5) -> sparse.csr_matrix:
    array = np.zeros((len(rows), items), dtype=np.float32)
    for number, row in enumerate(rows):
        for item, weight in row.items():
            array[number, item] = weight
    return sparse.csr_matrix(array)


def cases(persons: list[int], truth: list[dict[int, float]], masked: list[dict[int, float]] | None = None) -> Cases:
    nothing: list[dict[int, float]] = [{} for _ in persons]
    at = np.full(len(persons), "2026-09-11", dtype="datetime64[us]")
    return Cases(np.array(persons), Sequences.of([[] for _ in persons], 5), matrix(truth), matrix(masked or nothing), at)


@pytest.fixture(params=["dense", "sparse"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to make lists, which must agree."""
    if request.param == "sparse":
        monkeypatch.setattr("models.evaluation.placement_evaluation.DENSE_ITEMS", 0)


@pytest.mark.usefixtures("way")
def test_lists_end_with_what_sells_and_leave_out_what_is_masked() -> None:
    weights = matrix([{2: 0.5, 0: 0.9}, {4: 0.1}, {}])
    masked = matrix([{0: 1}, {}, {3: 1, 1: 1}])
    assert lists_of(weights, FILL, masked, 3).tolist() == [[2, 3, 1], [4, 3, 1], [0, 2, 4]]
    assert lists_of(weights, FILL, masked, 6)[:, 5].tolist() == [-1, -1, -1]
    assert lists_of(weights, FILL, masked, 5).tolist() == [[2, 3, 1, 4, -1], [4, 3, 1, 0, 2], [0, 2, 4, -1, -1]]


@pytest.mark.usefixtures("way")
def test_equal_weights_follow_the_sales() -> None:
    assert lists_of(matrix([{0: 1, 1: 1, 2: 1}]), FILL, matrix([{}]), 3).tolist() == [[1, 0, 2]]


def test_values_are_means_over_the_cases_of_a_person() -> None:
    """Person 7: a hit at place 1 and none; person 9: two of three right items, at places 1 and 3."""
    asked = cases([7, 9, 7], [{0: 1}, {0: 1, 1: 1, 4: 1}, {2: 1}])
    lists = np.array([[0, 3], [0, 3], [0, 3]])
    lists = np.concatenate([lists, [[1], [1], [1]]], axis=1)
    result = values_of(lists, asked)
    discounts = [1 / np.log2(place + 1) for place in (1, 2, 3)]
    expected = (discounts[0] + discounts[2]) / sum(discounts)
    assert result["ndcg@10"] == pytest.approx([0.5, expected])
    assert result["recall@10"] == pytest.approx([0.5, 2 / 3])
    assert result["hit_rate@20"] == pytest.approx([0.5, 1.0])
    assert result["mrr@10"] == pytest.approx([0.5, 1.0])


def test_the_report_pairs_with_popularity_and_is_stricter_about_many_models() -> None:
    rng = np.random.default_rng(3)
    asked = cases(list(range(60)), [{int(item): 1} for item in rng.integers(0, 5, 60)])
    right = asked.truth.indices
    lists = {BASELINE: np.tile(FILL[:1], (60, 1))}
    lists |= {f"m{k}": np.where(rng.random(60) < 0.6, right, 4)[:, None] for k in range(6)}
    result = placement_report(lists, asked, 5)
    assert (result["cases"], result["persons"]) == (60, 60)
    assert "over_popularity" not in result["models"][BASELINE]["metrics"][MAIN_METRIC]
    for name in list(lists)[1:]:
        output = result["models"][name]
        gain = output["metrics"][MAIN_METRIC]["over_popularity"]
        hits, base = lists[name][:, 0] == right, lists[BASELINE][:, 0] == right
        assert gain["mean"] == pytest.approx(hits.mean() - base.mean(), abs=1e-6)
        assert output["surely_above_popularity"] < gain["low"] < gain["mean"]
    assert result["models"][BASELINE]["coverage@20"] == 0.2


@pytest.mark.parametrize("seed", range(5))
def test_the_strongest_are_those_of_the_full_product(seed: int) -> None:
    rng = np.random.default_rng(seed)
    causes = sparse.random(7, 6, 0.5, format="csr", dtype=np.float32, random_state=seed)
    effects = sparse.random(6, 9, 0.5, format="csr", dtype=np.float32, random_state=seed + 50)
    fill, k = rng.permutation(9), 4
    place = np.argsort(fill)
    items, strength, because = top_products_with_causes(causes, effects, fill, k)
    assert all((a == b).all() for a, b in zip(top_products(causes, effects, fill, k), (items, strength), strict=True))
    product = (causes @ effects).toarray()
    for row in range(7):
        order = [item for item in np.lexsort((place, -product[row])) if product[row, item] > 0][:k]
        assert items[row, : len(order)].tolist() == order
        assert (items[row, len(order) :] == -1).all()
        assert strength[row, : len(order)] == pytest.approx(product[row, order], rel=1e-5)
        for column, item in enumerate(order):
            parts = causes.toarray()[row] * effects.toarray()[:, item]
            assert parts[because[row, column]] == pytest.approx(parts.max())


def test_equal_strengths_follow_the_fill() -> None:
    one = sparse.csr_matrix(np.ones((1, 1), dtype=np.float32))
    items, _ = top_products(one, sparse.csr_matrix(np.ones((1, 5), dtype=np.float32)), FILL, 3)
    assert items.tolist() == [[3, 1, 0]]


def judged(**changes: Any) -> dict[str, Any]:
    """A report on ``after_payment`` in which tifu_knn is best and everything is just enough."""

    def entry(mean: float, low: float) -> dict[str, Any]:
        gain = {"mean": mean - 0.1, "low": low + 0.01, "high": mean}
        metrics = {MAIN_METRIC: {"mean": mean, "low": 0, "high": 1, "over_popularity": gain}}
        return {"metrics": metrics, "coverage@20": LEAST_COVERAGE, "surely_above_popularity": low}

    models = {recipe.name: entry(0.2, 0.01) for recipe in RECIPES["after_payment"]} | {"tifu_knn": entry(0.3, 0.02)}
    models[BASELINE] = {"metrics": {MAIN_METRIC: {"mean": 0.1, "low": 0, "high": 1}}, "coverage@20": 0.0}
    models["tifu_knn"] |= changes.pop("best", {})
    if "all_surely" in changes:
        surely = changes.pop("all_surely")
        models = {name: entry | {"surely_above_popularity": surely} for name, entry in models.items()}
    return {"cases": 30, "persons": LEAST_PERSONS, "models": models} | changes


def test_a_model_that_is_sure_goes_before_a_better_one_that_may_be_lucky() -> None:
    result = judged(best={"surely_above_popularity": -0.01})
    result["models"]["buy_again"]["metrics"][MAIN_METRIC]["mean"] = 0.25

    def read(name: str) -> dict[str, Any]:
        assert name == "lists_buy_again"
        return lists_state("lists_tifu_knn")

    assert choose_recipe("after_payment", result, read)["model"] == "buy_again"


def lists_state(name: str, weight: float = 1.0, persons: int = 3) -> dict[str, Any]:
    assert name == "lists_tifu_knn"
    items = np.zeros((persons, LENGTH), dtype=np.int64)
    return PersonLists.of(items, np.full(items.shape, weight, dtype=np.float32), "bought_often").state()


DECISIONS = {
    "as it should be": (judged(), {}, "tifu_knn", "tifu_knn ndcg@10 0.3000 against popularity 0.1000"),
    "no case": (judged(models={}, persons=0, cases=0), {}, LADDER, "no case of its question"),
    "few persons": (judged(persons=LEAST_PERSONS - 1), {}, LADDER, "19 persons to judge by, at least 20"),
    "luck": (judged(all_surely=0.0), {}, LADDER, "may be luck among 11 models"),
    "gains that are no numbers": (judged(all_surely=float("nan")), {}, LADDER, "may be luck"),
    "the same few items": (judged(best={"coverage@20": 0.0049}), {}, LADDER, "lists of tifu_knn cover 0.49% of the items"),
    "not finite": (judged(), {"weight": np.inf}, LADDER, "lists_tifu_knn holds numbers that are not finite"),
    "empty": (judged(), {"persons": 0}, LADDER, "lists_tifu_knn has nothing to say"),
}


@pytest.mark.parametrize("case", DECISIONS)
def test_the_verdict_on_a_placement(case: str) -> None:
    judged_models, changed, model, sentence = DECISIONS[case]
    decision = choose_recipe("after_payment", judged_models, lambda name: lists_state(name, **changed))
    assert decision["model"] == model
    assert sentence in decision["sentence"]
    assert (decision["recipe"] is None) == (model == LADDER)
    if model != LADDER:
        assert decision["recipe"] == {"name": "tifu_knn", "context": None, "own": "tifu_knn", "own_share": 1.0}
