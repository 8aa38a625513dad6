"""Exploration: exact propensities, a budget that holds, a log that off-policy estimators can use, less and less regret."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.algorithms.exploration import Belief, Budget, Decision, Explorer, prior_rates
from models.evaluation.off_policy import diagnose, ips

RATES = np.array([0.02, 0.05, 0.08, 0.20])
RANKED = 0.06  # click rate of what the slot holds otherwise


def belief(*pairs: tuple[float, float]) -> Belief:
    a, b = np.array(pairs, dtype=float).T
    return Belief(a, b)


def play(decisions: int, seed: int, *, is_learning: bool = True) -> list[tuple[Decision, float, np.ndarray]]:
    """Decisions on lists of five slots with their rewards and the probabilities in force; beliefs follow every 250 lists."""
    rng = np.random.default_rng(seed)
    clicks, shown = np.zeros(len(RATES)), np.zeros(len(RATES))
    explorer = Explorer(Budget(share=0.15, window=100), slot=2, rate=0.8, floor=0.1)
    log = []
    for number in range(decisions):
        if number % 250 == 0 and (is_learning or number == 0):
            explorer.update(Belief.of(np.full(len(RATES), 0.06), 20.0, clicks, shown))
        chances = explorer.probabilities(np.ones(len(RATES), dtype=bool))
        built = explorer.decide(5, np.ones(len(RATES), dtype=bool), rng)
        reward = float(rng.random() < (RANKED if built.item is None else RATES[built.item]))
        if built.item is not None:
            shown[built.item] += 1
            clicks[built.item] += reward
        log.append((built, reward, chances))
    return log


def test_two_items_by_the_closed_form() -> None:
    """P(Beta(a, 1) > Beta(c, 1)) = a / (a + c), and equal beliefs are equal."""
    np.testing.assert_allclose(belief((3, 1), (2, 1)).best_probabilities(), [0.6, 0.4], atol=1e-4)
    np.testing.assert_allclose(belief((3, 50), (3, 50), (3, 50)).best_probabilities(), np.full(3, 1 / 3), atol=1e-6)


def test_many_items_against_draws() -> None:
    result = belief((1, 20), (5, 60), (40, 400), (400, 5000), (1, 1), (0.5, 9))
    draws = np.random.default_rng(0).beta(result.a, result.b, size=(200_000, len(result.a)))
    shares = np.bincount(draws.argmax(axis=1), minlength=len(result.a)) / len(draws)
    np.testing.assert_allclose(result.best_probabilities(), shares, atol=0.005)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 1e5), st.floats(0.01, 1e6)), min_size=1, max_size=12))
def test_probabilities_are_a_distribution_whatever_the_belief(pairs: list[tuple[float, float]]) -> None:
    result = belief(*pairs).best_probabilities()
    assert np.isfinite(result).all()
    assert (result >= 0).all()
    assert result.sum() == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 1),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 11), st.booleans()), min_size=1, max_size=80),
)
def test_no_window_of_slots_explores_more_than_its_share(share: float, window: int, lists: list[tuple[int, int, bool]]) -> None:
    budget, slots = Budget(share, window), []
    for length, wanted, wants in lists:
        slot = wanted % length
        explores = wants and budget.has_room(length, slot)
        budget.spend(length, slot if explores else None)
        slots += [explores and at == slot for at in range(length)]
    runs = [sum(slots[at : at + window]) for at in range(len(slots))]
    assert max(runs) <= share * window + 1e-9


def test_the_budget_is_used_where_it_allows() -> None:
    explored = sum(built.item is not None for built, _, _ in play(2000, seed=1))
    assert 0.9 * 0.15 * 2000 * 5 < explored <= 0.15 * 2000 * 5 + 15


def test_actions_come_as_often_as_their_propensities_say() -> None:
    log = play(6000, seed=2, is_learning=False)
    array = np.array([-1 if decision.item is None else decision.item for decision, _, _ in log])
    rates = np.array([decision.explore_probability for decision, _, _ in log])
    chances = np.array([entry for _, _, entry in log]) * rates[:, None]
    for item in range(len(RATES)):
        expected, spread = chances[:, item].sum(), np.sqrt((chances[:, item] * (1 - chances[:, item])).sum())
        assert abs((array == item).sum() - expected) < 4 * spread
    for (decision, _, entry), item in zip(log, array, strict=True):
        rate = decision.explore_probability
        assert decision.propensity == pytest.approx(1 - rate if item < 0 else rate * entry[item])


def test_ips_on_the_log_finds_what_another_policy_earns() -> None:
    """The judged policy explores half of the lists that had room, uniformly. Its value follows from the true rates, and the
    95 % interval holds it in at least 10 of 12 logs, with no bias to either side.
    """
    inside, sides = 0, 0
    for seed in range(12):
        log = play(1500, seed)
        reward = np.array([earned for _, earned, _ in log])
        logged = np.array([decision.propensity for decision, _, _ in log])
        judged = np.array([0.5 if decision.explore_probability > 0 else 0.0 for decision, _, _ in log])
        is_new = np.array([decision.item is not None for decision, _, _ in log])
        target = np.where(is_new, judged / len(RATES), 1 - judged)
        truth = float((judged * RATES.mean() + (1 - judged) * RANKED).mean())
        result = ips(reward, logged, target)
        inside += result.low < truth < result.high
        sides += result.mean > truth
        assert diagnose(logged, target).largest_weight <= 0.5 / (0.8 * 0.1) + 1e-9
    assert inside >= 10
    assert 2 <= sides <= 10


def test_regret_falls_and_a_seed_repeats_the_log() -> None:
    log = play(8000, seed=4)
    regret = np.array([RATES.max() - RATES[built.item] for built, _, _ in log if built.item is not None])
    early, late = regret[: len(regret) // 5].mean(), regret[-len(regret) // 5 :].mean()
    assert late < 0.6 * early
    assert late < 0.5 * (RATES.max() - RATES.mean())
    again = play(8000, seed=4)
    assert [built for built, _, _ in again] == [built for built, _, _ in log]


def test_without_eligible_items_or_room_the_ranked_item_stays_for_sure() -> None:
    rng = np.random.default_rng(0)
    explorer = Explorer(Budget(1.0, 10), slot=0)
    assert explorer.decide(3, np.empty(0, dtype=bool), rng) == Decision("thompson", 0, None, 1.0, 0.0)
    explorer.update(belief((1, 9), (2, 9)))
    assert explorer.decide(3, np.array([False, False]), rng).propensity == 1
    assert Explorer(Budget(0.0, 10), slot=0).decide(3, np.empty(0, dtype=bool), rng).explore_probability == 0
    only = [explorer.decide(3, np.array([False, True]), rng).item for _ in range(40)]
    assert set(only) == {None, 1}


def test_a_slot_beyond_the_list_is_never_explored() -> None:
    explorer = Explorer(Budget(1.0, 10), slot=5, rate=0.99)
    explorer.update(belief((1, 9)))
    assert explorer.decide(3, np.array([True]), np.random.default_rng(0)).explore_probability == 0


def test_the_prior_is_the_rate_of_the_category_drawn_towards_all() -> None:
    one_hot = sparse.csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=np.float32))
    clicks, shown = np.array([10.0, 30.0, 5.0, 0.0]), np.array([100.0, 300.0, 500.0, 0.0])
    new = sparse.csr_matrix(np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32))
    overall = 45 / 900
    expected = [overall + 400 / 600 * (0.1 - overall), overall + 500 / 700 * (0.01 - overall), overall]
    np.testing.assert_allclose(prior_rates(one_hot, clicks, shown, new, ridge=200.0), expected)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Belief(np.array([1.0]), np.array([0.0])),
        lambda: Belief.of(np.array([0.1]), 10, np.array([3.0]), np.array([2.0])),
        lambda: Belief.of(np.array([0.0]), 10, np.array([0.0]), np.array([2.0])),
        lambda: Budget(1.2, 10),
        lambda: Budget(0.1, 0),
        lambda: Budget(0.1, 10).has_room(3, 3),
        lambda: Explorer(Budget(0.1, 10), 0, rate=1.0),
        lambda: Explorer(Budget(0.1, 10), 0, floor=0.0),
        lambda: Explorer(Budget(0.1, 10), 0).probabilities(np.array([True])),
        lambda: prior_rates(sparse.csr_matrix((1, 1)), np.zeros(1), np.zeros(1), sparse.csr_matrix((1, 1))),
    ],
)
def test_what_makes_no_sense_is_refused(broken: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        broken()  # type: ignore[operator]
