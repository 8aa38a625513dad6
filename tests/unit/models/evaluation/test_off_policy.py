"""Off-policy estimators on logs whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.off_policy import diagnose, doubly_robust, ips, snips

REWARD_OF = np.array([0.1, 0.3, 0.6])
LOGGING = np.array([0.6, 0.3, 0.1])
JUDGED = np.array([0.2, 0.3, 0.5])
TRUTH = float(JUDGED @ REWARD_OF)


def log(decisions: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    action = rng.choice(3, size=decisions, p=LOGGING)
    reward = (rng.random(decisions) < REWARD_OF[action]).astype(float)
    return action, reward, LOGGING[action], JUDGED[action]


def test_by_hand() -> None:
    reward, logged, target = np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.5, 0.25]), np.array([0.25, 0.75, 0.5])
    assert ips(reward, logged, target).mean == pytest.approx((0.5 + 0 + 2) / 3)
    assert snips(reward, logged, target).mean == pytest.approx(2.5 / 4)
    predicted, expected = np.array([0.5, 0.5, 0.5]), np.array([0.4, 0.4, 0.4])
    robust = doubly_robust(reward, logged, target, predicted, expected)
    assert robust.mean == pytest.approx(0.4 + (0.5 * 0.5 - 1.5 * 0.5 + 2 * 0.5) / 3)


def test_intervals_hold_the_truth() -> None:
    action, reward, logged, target = log()
    model = np.array([0.2, 0.2, 0.5])  # wrong on purpose
    robust = doubly_robust(reward, logged, target, model[action], np.full(len(action), JUDGED @ model))
    for entry in (ips(reward, logged, target), snips(reward, logged, target), robust):
        assert entry.low < TRUTH < entry.high


def test_a_policy_judged_by_its_own_log_earns_what_it_earned() -> None:
    _, reward, logged, _ = log()
    for entry in (ips(reward, logged, logged), snips(reward, logged, logged)):
        assert entry.mean == pytest.approx(reward.mean())
        assert entry.low < reward.mean() < entry.high
    assert diagnose(logged, logged).effective == pytest.approx(len(reward))


def test_diagnostics_tell_when_policies_hardly_meet() -> None:
    _, _, logged, target = log()
    result = diagnose(logged, target, clip=2.0)
    assert result.effective < result.decisions
    assert result.largest_weight == pytest.approx(5)
    assert result.clipped == pytest.approx(0.1, abs=0.02)
    assert result.mean_weight == pytest.approx(1, abs=0.05)


def test_what_cannot_be_reweighed_is_refused() -> None:
    one = np.array([1.0])
    with pytest.raises(ValueError, match="propensity"):
        ips(one, np.array([0.0]), one)
    with pytest.raises(ValueError, match="propensity"):
        ips(one, np.array([np.nan]), one)
    with pytest.raises(ValueError, match="target"):
        ips(one, one, np.array([1.5]))
    with pytest.raises(ValueError, match="none of the logged actions"):
        snips(one, one, np.array([0.0]))
    with pytest.raises(ValueError, match="one group alone"):
        ips(np.ones(3), np.ones(3), np.ones(3), group=np.zeros(3, dtype=np.int64))
    with pytest.raises(ValueError, match="empty"):
        diagnose(np.empty(0), np.empty(0))


def test_intervals_hold_the_truth_as_often_as_they_say_also_where_persons_decide_alike() -> None:
    """Half of a person's clicks are the person's mood, so 4 decisions of one say less than 4 of several."""
    model, rng = np.array([0.2, 0.2, 0.5]), np.random.default_rng(5)  # wrong on purpose
    persons, replications = 150, 400
    held = {"ips": 0, "snips": 0, "dr": 0, "snips, each decision for itself": 0}
    for _ in range(replications):
        person = np.repeat(np.arange(persons), 4)
        action = rng.choice(3, size=len(person), p=LOGGING)
        mood = rng.choice([0.0, 2.0], size=persons)[person]
        reward = (rng.random(len(person)) < np.minimum(REWARD_OF[action] * mood, 1)).astype(float)
        truth = float(JUDGED @ (np.minimum(REWARD_OF * 2, 1) / 2))
        logged, target = LOGGING[action], JUDGED[action]
        expected = np.full(len(action), JUDGED @ model)
        estimates = {
            "ips": ips(reward, logged, target, group=person),
            "snips": snips(reward, logged, target, group=person),
            "dr": doubly_robust(reward, logged, target, model[action], expected, group=person),
            "snips, each decision for itself": snips(reward, logged, target),
        }
        for name, entry in estimates.items():
            held[name] += entry.low <= truth <= entry.high
    shares = {name: count / replications for name, count in held.items()}
    assert all(0.92 <= shares[name] <= 0.98 for name in ("ips", "snips", "dr")), shares
    assert shares["snips, each decision for itself"] < min(0.92, shares["snips"]), shares
