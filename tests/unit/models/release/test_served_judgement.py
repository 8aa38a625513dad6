"""Who answers a placement by what was served, and when a candidate replaces the release in use: truth tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from models.evaluation.comparison import BASELINE
from models.evaluation.intervals import bootstrap
from models.evaluation.metrics import MAIN_METRIC
from models.release.champion import Champion
from models.release.checks import LEAST_PERSONS
from models.release.model_choice import choose_recipe
from models.release.served_judgement import BESIDE, CHAMPION, MODEL, MOST_BEHIND, ServedCases, certify, compare, list_of

LUCK = np.random.default_rng(4)
PERSONS = 60
COMMON = LUCK.random(PERSONS)  # how easy each person is: what makes a paired comparison worth it
CHOSEN = {"model": "tifu_knn", "recipe": {"name": "tifu_knn"}, "sentence": "tifu_knn is best"}
LADDER = {"model": "ladder", "recipe": None, "sentence": "nothing is surely better"}


def served(persons: int = PERSONS, **levels: float) -> ServedCases:
    """Two cases a person; each list is worth what the person is, plus its level, plus a little luck."""
    person = np.repeat(np.arange(persons), 2)
    values = {name: COMMON[person] + level + LUCK.normal(0, 0.02, 2 * persons) for name, level in levels.items()}
    return ServedCases(person, values)


CERTIFIED = {
    "as it should be": (CHOSEN, {"popularity": 0, "ladder": 0.1, MODEL: 0.2, "personal_frequency": 0.1}, "tifu_knn", "is best"),
    "as good as the ladder": (CHOSEN, {"popularity": 0, "ladder": 0.2, MODEL: 0.2}, "tifu_knn", "is best"),
    "the ladder is better": (
        CHOSEN,
        {"popularity": 0, "ladder": 0.3, MODEL: 0.2},
        "ladder",
        "tifu_knn as served: worse than ladder",
    ),
    "habit is better": (
        CHOSEN,
        {"popularity": 0, "ladder": 0.1, MODEL: 0.2, "personal_frequency": 0.3},
        "ladder",
        "worse than personal_frequency",
    ),
    "no better than what sells": (
        CHOSEN,
        {"popularity": 0.2, "ladder": 0.3, MODEL: 0.2},
        "ladder",
        "not surely better than pop",
    ),
    "nor is the ladder": (
        CHOSEN,
        {"popularity": 0.2, "ladder": 0.2, MODEL: 0.2},
        "popularity",
        "the ladder: not surely better",
    ),
    "the ladder alone": (LADDER, {"popularity": 0, "ladder": 0.1}, "ladder", "nothing is surely better"),
    "a ladder of refused neighbours": (
        LADDER,
        {"popularity": 0.2, "ladder": 0.1},
        "popularity",
        "the ladder: not surely better",
    ),
}


@pytest.mark.parametrize("case", CERTIFIED)
def test_what_is_served_decides_who_answers(case: str) -> None:
    chosen, levels, model, sentence = CERTIFIED[case]
    cases = served(**levels)
    result = certify(chosen, cases)
    assert (result["model"], result["recipe"] is None) == (model, model != "tifu_knn")
    assert sentence in result["sentence"]
    name = MODEL if model == "tifu_knn" else model
    means = cases.values[name].reshape(-1, 2).mean(axis=1)
    assert result["served"] == {"persons": PERSONS, MAIN_METRIC: {"mean": round(float(means.mean()), 6)} | _bounds(cases, name)}


def _bounds(cases: ServedCases, name: str) -> dict[str, float]:
    estimate = cases.mean(name)
    by_hand = bootstrap(cases.values[name].reshape(-1, 2).mean(axis=1))
    assert (estimate.low, estimate.high) == pytest.approx((by_hand.low, by_hand.high), abs=0.02)
    return {"low": round(estimate.low, 6), "high": round(estimate.high, 6)}


def test_without_cases_or_persons_enough_nothing_changes() -> None:
    few = served(LEAST_PERSONS - 1, popularity=0.5, ladder=0.1, **{MODEL: 0.1})
    assert [certify(each, cases) for each in (CHOSEN, LADDER) for cases in (None, few)] == [CHOSEN, CHOSEN, LADDER, LADDER]


NOW = datetime(2026, 9, 20)  # noqa: DTZ001 (manifests keep UTC instants without a zone)
SAME, OTHER = {"home": "tifu_knn", "cart": "ladder"}, {"home": "ranked", "cart": "ladder"}
# what the candidate is worth at home and in the cart, models of the release in use, days it misses, is released, sentence
COMPARED: dict[str, tuple[tuple[float, float], dict[str, str], float, bool, str]] = {
    "better at one": ((0.1, 0.0), OTHER, 1, True, "better than release v1 in use at home: "),
    "worse at one": ((0.1, -0.1), SAME, 30, False, "worse than release v1 in use at cart: "),
    "worse": ((-0.1, -0.1), SAME, 1, False, "worse than release v1 in use at home: "),
    "a tie of the same models and newer acts": ((0.0, 0.0), SAME, 1, True, "learnt anew from newer acts"),
    "a tie of the same acts": ((0.0, 0.0), SAME, 0, False, "which stays"),
    "a tie of another model": ((0.0, 0.0), OTHER, 1, False, "as good as release v1 in use"),
    "a tie with what is old": ((0.0, 0.0), OTHER, MOST_BEHIND.days, True, "misses 7 days"),
}


@pytest.mark.parametrize("case", COMPARED)
def test_a_candidate_replaces_only_what_it_is_not_worse_than(case: str) -> None:
    (home, cart), models, behind, is_released, sentence = COMPARED[case]
    cases = {
        "home": served(**{MODEL: 0.3 + home, CHAMPION: 0.3, "ladder": 0.9}),
        "cart": served(**{CHAMPION: 0.3, "ladder": 0.3 + cart}),
    }
    champion = Champion("v1", models, NOW - timedelta(days=behind), None)
    check = compare(champion, {"home": CHOSEN, "cart": LADDER, "item": LADDER}, NOW, cases)
    if case != "a tie of the same models and newer acts":
        assert (check.is_passed, sentence in check.sentence) == (is_released, True), check.sentence
    same_too = compare(Champion("v1", models | {"item": "ladder"}, NOW - timedelta(days=behind), None), *_rest(cases))
    assert (same_too.is_passed, sentence in same_too.sentence) == (is_released, True), same_too.sentence


def _rest(cases: Any) -> Any:
    return {"home": CHOSEN, "cart": LADDER, "item": LADDER}, NOW, cases


def test_what_cannot_be_compared_says_so() -> None:
    cases = {"home": served(**{MODEL: 0.1, CHAMPION: 0.3})}
    assert compare(None, *_rest(cases)).sentence == "no other release is in use"
    unknown = compare(Champion("v1", SAME, None, "it has no window"), *_rest({"home": served(**{MODEL: 0.1})}))
    assert (unknown.is_passed, unknown.sentence) == (True, "release v1 in use could not be judged: it has no window")
    few = {"home": served(LEAST_PERSONS - 1, **{MODEL: 0.1, CHAMPION: 0.3})}
    assert "too few persons" in compare(Champion("v1", SAME, NOW, None), *_rest(few)).sentence


@pytest.mark.parametrize(("gain", "in_use", "model"), [(0.0, "als", "als"), (0.2, "als", "tifu_knn"), (0.0, None, "tifu_knn")])
def test_the_model_in_use_stays_unless_another_is_surely_better(gain: float, in_use: str | None, model: str) -> None:
    noise = LUCK.normal(0, 0.05, (2, PERSONS))
    noise -= noise.mean(axis=1, keepdims=True) - [[0.0], [0.001]]  # tifu_knn leads by a thousandth
    values = {"als": COMMON + noise[0], "tifu_knn": COMMON + gain + noise[1]}
    entry = {"coverage@20": 1.0, "surely_above_popularity": 0.1}
    over = {"mean": 0.1, "low": 0.05, "high": 0.2}
    models: dict[str, Any] = {
        name: entry | {"metrics": {MAIN_METRIC: {"mean": each.mean(), "over_popularity": over}}}
        for name, each in values.items()
    }
    models[BASELINE] = {"metrics": {MAIN_METRIC: {"mean": 0.1}}}
    judged = {"persons": PERSONS, "models": models}
    state = {"items": np.zeros((1, 1)), "weights": np.ones((1, 1))}
    decision = choose_recipe("home", judged, lambda _: state, values, in_use)
    assert decision["model"] == model
    assert ("tifu_knn is not surely better" in decision["sentence"]) == (model == "als")


@pytest.mark.parametrize(
    ("levels", "list_name"),
    [
        ({MODEL: 0.2, "with_new": 0.1, "with_taste": 0.15}, MODEL),
        ({MODEL: 0.2, "with_new": 0.3, "with_taste": 0.25}, "with_new"),
        ({MODEL: 0.2, "with_offers_and_taste": 0.3, "with_new": 0.25}, "with_offers_and_taste"),
        ({MODEL: 0.05, "with_new": 0.9}, "ladder"),
    ],
)
def test_beside_a_model_come_the_sources_that_surely_serve_best(levels: dict[str, float], list_name: str) -> None:
    cases = served(**{"popularity": 0, "ladder": 0.1} | levels)
    result = certify(CHOSEN, cases)
    assert list_of(result) == list_name
    assert result.get("quotas", {}) == BESIDE.get(list_name, {})
    assert result["served"][MAIN_METRIC]["mean"] == round(cases.mean(list_name).mean, 6)


def test_beside_a_model_comes_nothing_that_is_as_good_as_nothing() -> None:
    cases = served(**{"popularity": 0, MODEL: 0.2})
    assert "quotas" not in certify(CHOSEN, ServedCases(cases.person, {**cases.values, "with_new": cases.values[MODEL]}))


@pytest.mark.parametrize(("gain", "has_quotas"), [(0.001, False), (0.01, True)])
def test_beside_a_model_comes_nothing_that_is_better_by_luck(gain: float, has_quotas: bool) -> None:
    cases = served(**{"popularity": 0, MODEL: 0.2})
    luck = np.random.default_rng(5).normal(0, 0.02, len(cases.person))
    better = cases.values[MODEL] + luck - luck.mean() + gain
    assert ("quotas" in certify(CHOSEN, ServedCases(cases.person, {**cases.values, "with_new": better}))) == has_quotas


def test_of_several_lists_beside_a_model_one_is_seldom_taken_by_chance_alone() -> None:
    """Each of five alone would be surely better in a fortieth of such judgements, one of them in an eighth."""
    chosen, luck = 0, np.random.default_rng(6)
    for _ in range(60):
        cases = served(30, **{"popularity": 0, MODEL: 0.2})
        others = {name: cases.values[MODEL] + luck.normal(0, 0.02, len(cases.person)) for name in BESIDE}
        chosen += "quotas" in certify(CHOSEN, ServedCases(cases.person, {**cases.values, **others}))
    assert chosen <= 4
