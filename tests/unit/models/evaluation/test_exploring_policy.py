"""Policies that choose new items, on logs of a simulated policy whose value is known."""

from __future__ import annotations

import numpy as np
import pytest

from models.algorithms.exploration import Belief
from models.data.explored import ExploredLog, explored_log
from models.evaluation.exploring_policy import LEAST_CLICKS, LEAST_EFFECTIVE, chances_of, compare_policies

ITEMS = [f"i{number}" for number in range(6)]
RATES = dict(zip(ITEMS, (0.02, 0.05, 0.1, 0.2, 0.3, 0.4), strict=True))
EVEN = dict.fromkeys(ITEMS, 1 / 6)
LIKES_GOOD = dict(zip(ITEMS, (0.02, 0.03, 0.05, 0.2, 0.3, 0.4), strict=True))
LIKES_BAD = dict(zip(ITEMS, (0.5, 0.25, 0.1, 0.05, 0.05, 0.05), strict=True))


def among(policy: dict[str, float], eligible: list[str]) -> dict[str, float]:
    total = sum(policy.get(item, 0.0) for item in eligible)
    return {item: policy.get(item, 0.0) / total for item in eligible}


def simulated(decisions: int, seed: int, logging: dict[str, float] = EVEN) -> tuple[ExploredLog, dict[str, float]]:
    """A log in which four of the items are eligible each time, and the true value of both policies on those questions."""
    rng = np.random.default_rng(seed)
    rows, truth = [], {"good": 0.0, "bad": 0.0}
    for number in range(decisions):
        eligible = sorted(rng.choice(ITEMS, size=4, replace=False))
        chances = among(logging, eligible)
        item = str(rng.choice(eligible, p=list(chances.values())))
        rows.append((f"p{number // 3}", item, chances, bool(rng.random() < RATES[item])))
        for name, policy in (("good", LIKES_GOOD), ("bad", LIKES_BAD)):
            truth[name] += sum(chance * RATES[each] for each, chance in among(policy, eligible).items()) / decisions
    return explored_log(rows), truth


def test_estimates_hold_the_true_values_and_their_difference() -> None:
    held = dict.fromkeys(("ips", "snips", "dr"), 0)
    replications = 120
    for seed in range(replications):
        log, truth = simulated(600, seed)
        result = compare_policies(log, LIKES_GOOD, LIKES_BAD)
        assert result.candidate is not None
        assert result.differences is not None
        for name in held:
            value, difference = getattr(result.candidate, name), result.differences[name]
            held[name] += value.low <= truth["good"] <= value.high
            held[name] += difference.low <= truth["good"] - truth["bad"] <= difference.high
    assert all(0.915 <= count / (2 * replications) <= 0.985 for count in held.values()), held


def test_a_policy_that_is_surely_worse_is_named_and_the_other_way_round_it_is_not() -> None:
    log, truth = simulated(3_000, 1)
    worse = compare_policies(log, LIKES_BAD, LIKES_GOOD)
    assert worse.is_surely_worse
    assert worse.lacks is None
    assert worse.differences is not None
    assert worse.differences["dr"].mean == pytest.approx(truth["bad"] - truth["good"], abs=0.03)
    assert worse.sentence.startswith("exploring: worse than the release in use: clicks a place ")
    assert not compare_policies(log, LIKES_GOOD, LIKES_BAD).is_surely_worse
    same = compare_policies(log, LIKES_GOOD, LIKES_GOOD)
    assert same.differences is not None
    assert [(each.mean, each.low, each.high) for each in same.differences.values()] == [(0, 0, 0)] * 3
    assert "not surely worse" in same.sentence


def test_the_log_s_own_policy_has_weights_of_one_and_earns_what_was_clicked() -> None:
    log, _ = simulated(900, 2)
    result = compare_policies(log, EVEN, LIKES_GOOD)
    assert result.candidate is not None
    assert result.candidate.diagnostics.effective == pytest.approx(900)
    assert result.candidate.diagnostics.largest_weight == pytest.approx(1)
    assert result.candidate.unsupported == 0
    assert result.candidate.ips.mean == pytest.approx(log.reward.mean())
    assert result.candidate.snips.mean == pytest.approx(log.reward.mean())


def test_too_little_support_is_an_outcome_that_decides_nothing() -> None:
    log, _ = simulated(3_000, 3)
    strangers = {"new 1": 0.5, "new 2": 0.3, **{item: chance * 0.2 for item, chance in LIKES_BAD.items()}}
    result = compare_policies(log, strangers, LIKES_GOOD)
    assert result.candidate is not None
    assert 0.8 < result.candidate.unsupported < 0.95  # 0.8 of all of it, of fewer items at each place more
    assert "on items that were never eligible" in result.sentence
    assert not result.is_surely_worse
    few, _ = simulated(LEAST_EFFECTIVE - 1, 3)
    assert compare_policies(few, LIKES_BAD, LIKES_GOOD).lacks == f"at least {LEAST_EFFECTIVE} places are needed"
    unclicked = ExploredLog(log.item_ids, log.chances, log.item, np.zeros(len(log)), log.person)
    assert compare_policies(unclicked, LIKES_BAD, LIKES_GOOD).lacks == f"at least {LEAST_CLICKS} clicks are needed"
    assert "knows none" in str(compare_policies(log, {"new": 1.0}, LIKES_GOOD).lacks)
    assert "knows none" in str(compare_policies(log, LIKES_GOOD, {}).lacks)
    # The log hardly drew what the policy nearly always draws: few effective decisions.
    rare, _ = simulated(3_000, 4, {item: 0.997 if item == "i0" else 0.0006 for item in ITEMS})
    assert "of the candidate" in str(compare_policies(rare, LIKES_GOOD, EVEN).lacks)
    assert compare_policies(explored_log([]), EVEN, EVEN).decisions == 0


def test_chances_are_those_that_serving_draws_by() -> None:
    belief = Belief(np.array([1.0, 8.0, 1.0]), np.array([30.0, 10.0, 60.0]))
    chances = chances_of(["a", "b", "c", "d"], np.array([0, 2, 3]), belief)
    assert set(chances) == {"a", "c", "d"}
    assert sum(chances.values()) == pytest.approx(1)
    assert chances["c"] > 0.9 - 0.1 + 0.1 / 3 > chances["a"] >= 0.1 / 3
