"""The second process: the same shop and shoppers, whose things run out one by one and whose tastes move."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.journal import Journal
from simulator.scene import Scene
from simulator.seeds import Dice
from simulator.wandering import RUNS
from simulator.world import SimulationPlan, make_world

PLAN = SimulationPlan("shanhai", users=300, days=60, seed=5, process="wandering")
STEADY = SimulationPlan("shanhai", users=300, days=60, seed=5)


def test_shoppers_and_goods_are_those_of_the_steady_process() -> None:
    here, there = make_world(PLAN), make_world(STEADY)
    assert here.catalogue.ids == there.catalogue.ids
    assert np.array_equal(here.shoppers.taste, there.shoppers.taste)
    np.testing.assert_allclose(here.tastes(np.arange(300), 0), there.shoppers.taste, rtol=1e-12)


def test_usual_things_run_out_one_by_one() -> None:
    """In the steady process a shopper who is due has run out of everything; here of a part, each thing at its own pace."""
    world = make_world(PLAN)
    assert world.wandering is not None
    shares = [
        len(world.running_out(shopper, day)) / len(world.shoppers.staples[shopper])
        for day in range(30, 60)
        for shopper in np.flatnonzero(world.is_due(day)).tolist()
        if len(world.shoppers.staples[shopper]) > 2
    ]
    assert len(shares) > 50
    assert np.mean(shares) < 0.6
    gaps = np.diff(world.wandering.runs_out_day, axis=1)
    assert gaps.shape[1] == RUNS - 1
    spread = gaps.std(axis=1) / gaps.mean(axis=1)
    assert np.median(spread) == pytest.approx(1 / np.sqrt(3), abs=0.06)
    low, high = world.preset.rhythm_days
    assert low < gaps.mean() < high


def test_who_is_due_has_run_out_of_something() -> None:
    world = make_world(PLAN)
    for day in range(20):
        due = set(np.flatnonzero(world.is_due(day)).tolist())
        arrived = np.flatnonzero(world.shoppers.arrival_day <= day).tolist()
        assert due == {shopper for shopper in arrived if len(world.running_out(shopper, day))}


def test_tastes_move_and_stay_unit_vectors() -> None:
    world = make_world(PLAN)
    everybody = np.arange(300)
    early, late = world.tastes(everybody, 0), world.tastes(everybody, 56)
    np.testing.assert_allclose(np.linalg.norm(late, axis=1), 1)
    assert np.median((early * late).sum(axis=1)) < 0.95
    assert not np.array_equal(world.look_odds(3, 0), world.look_odds(3, 56))
    assert np.array_equal(world.look_odds(3, 0), world.look_odds(3, 6))


def test_one_look_leads_to_the_next() -> None:
    """Looks that follow each other are more alike than looks of the same walk further apart, as they are not in the steady
    process.
    """

    def excess(plan: SimulationPlan) -> float:
        world = make_world(plan)
        scene = Scene(world, 30, world.states.on(30), Journal("t"), Dice(np.random.default_rng(1)))
        values = []
        for shopper in range(100):
            looks = world.catalogue.vectors[scene.walk(shopper, 30)]
            alike = looks @ looks.T
            values.append(np.diagonal(alike, 1).mean() - alike[np.triu_indices(len(looks), 5)].mean())
        return float(np.mean(values))

    assert excess(PLAN) > 0.05 > 0.02 > abs(excess(STEADY))


def test_an_unknown_process_is_refused() -> None:
    with pytest.raises(ValueError, match="none of steady, wandering"):
        make_world(SimulationPlan("lanting", 10, 1, 7, process="chaotic"))  # type: ignore[arg-type]
