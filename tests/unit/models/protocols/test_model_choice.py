"""``--model auto``: it picks what wins on the test, within the time it is given, and judges thousands of users."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from bench.model_choice import make_graph, task_of, tried
from models.algorithms.recommender import Items, top_k
from models.lab.mixture import mix
from models.protocols import interaction_choice as choice
from models.protocols.interaction_choice import choose_matrix_model
from models.protocols.ranking import Scorer
from models.protocols.top_lists import TopLists, mixed_items, top_lists
from models.protocols.validation import MOST_USERS, cut

CLEAR_SEEDS = (4, 10)  # the best leads by three standard errors on each test (asserted)


@pytest.mark.parametrize("seed", CLEAR_SEEDS)
def test_a_clear_winner_on_the_test_leads_the_choice(seed: int) -> None:
    result = tried(seed, users=800, items=150)
    assert result.lead >= 3
    assert result.leader == result.best


def test_an_empty_budget_still_gives_an_answer_and_says_what_was_left_out() -> None:
    chosen = choose_matrix_model(task_of(make_graph("tastes", 200, 60, 1)), 10, 7, lambda _: None, budget_s=0.0)
    assert chosen.weights == {"popularity": 1.0}
    left_out = {trial["model"] for trial in chosen.trials if trial.get("left_out") == "time"}
    assert left_out == set(choice.FAMILIES) - {"popularity"}


def test_choice_mixes_and_the_last_fit_end_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that only the work moves: 10 ms a list, so 25 s a trial of five folds, and 5 s a mix."""

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()

    def slow_lists(score: Scorer, histories: sparse.csr_matrix) -> TopLists:
        clock.now += 0.01 * histories.shape[0]
        return top_lists(score, histories)

    def slow_mix(*asked: Any) -> Items:
        clock.now += 5
        return mixed_items(*asked)

    for name, value in {"time": clock, "top_lists": slow_lists, "mixed_items": slow_mix}.items():
        monkeypatch.setattr(choice, name, value)
    monkeypatch.setattr(choice, "FIRST_TEACHERS", 150)
    monkeypatch.setattr(choice, "FIRST_ASKED", 100)
    chosen = choose_matrix_model(task_of(make_graph("tastes", 500, 60, 2)), 10, 7, lambda _: None, budget_s=300)
    assert clock.now > 100
    assert clock.now + 5 * len(chosen.weights) <= 300
    assert any(trial.get("left_out") == "time to mix it in" for trial in chosen.trials)


def test_a_large_catalogue_does_not_shrink_the_slice() -> None:
    rng = np.random.default_rng(3)
    graph = make_graph("popularity", 3000, 50, 1)
    graph["item_id"] += 50 * rng.integers(0, 800, size=len(graph))  # 40,000 items
    validation = cut(task_of(graph), 7)
    assert validation is not None
    assert len(validation.users) == 3000 < MOST_USERS


def test_a_first_look_leaves_out_the_weaker_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "FIRST_TEACHERS", 150)
    monkeypatch.setattr(choice, "FIRST_ASKED", 100)
    chosen = choose_matrix_model(task_of(make_graph("tastes", 500, 60, 2)), 10, 7, lambda _: None)
    looks = [trial["model"] for trial in chosen.trials if trial["lists"] == 100]
    whole = {trial["model"] for trial in chosen.trials if trial["lists"] > 100}
    assert looks == list(choice.FAMILIES)
    assert len(whole) == choice.STAYING
    assert set(chosen.weights) <= whole


def test_mixed_lists_are_those_of_all_scores_where_lists_are_long_enough() -> None:
    rng = np.random.default_rng(5)
    histories = sparse.csr_matrix((rng.random((30, 150)) < 0.1).astype(np.float32))
    scores = {name: rng.normal(size=(30, 150)).astype(np.float32) for name in ("a", "b")}
    weights = {"a": 1.0, "b": 0.4}

    def scorer(name: str) -> Scorer:
        return lambda rows: scores[name][: rows.shape[0]]

    parts = {name: top_lists(scorer(name), histories) for name in scores}
    expected = top_k(mix(scores, weights), 10, histories)
    # Leads differ from scores by a constant of the user and part, so the order is that of the exact mixture.
    assert mixed_items(parts, weights, 150, 10).tolist() == expected.tolist()
