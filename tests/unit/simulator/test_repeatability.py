"""The same seed gives the same bytes, whoever computes which day in whatever order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulator.history import play, simulate
from simulator.presets import preset_of
from simulator.world import SimulationPlan, make_world

PLAN = SimulationPlan("lanting", users=60, days=4, seed=11)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_same_seed_same_bytes_in_one_process_or_two(tmp_path: Path):
    simulate(PLAN, tmp_path / "a")
    simulate(PLAN, tmp_path / "b", processes=2)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert "lanting/manifest.json" in content(tmp_path / "a")


@pytest.mark.parametrize("other", [replace(PLAN, seed=12), replace(PLAN, shop_id="xinghe")])
def test_another_seed_or_shop_gives_other_events(other: SimulationPlan):
    assert play(PLAN, 2).deliveries != play(other, 2).deliveries


def test_a_day_does_not_depend_on_the_days_before():
    alone = play(PLAN, 3)
    for day in range(-1, 3):
        play(PLAN, day)
    assert play(PLAN, 3) == alone


def test_a_longer_history_begins_with_the_same_events():
    longer = {d.line for d in play(replace(PLAN, days=30), 2).deliveries}
    assert {d.line for d in play(PLAN, 2).deliveries} <= longer


def test_more_shoppers_leave_the_first_ones_as_they_are():
    few, many = make_world(PLAN), make_world(replace(PLAN, users=90))
    np.testing.assert_array_equal(few.shoppers.taste, many.shoppers.taste[:60])
    np.testing.assert_array_equal(few.shoppers.rhythm_days, many.shoppers.rhythm_days[:60])
    assert few.shoppers.anonymous_ids[:60] == many.shoppers.anonymous_ids[:60]
    assert few.catalogue.facts == many.catalogue.facts


def test_an_unknown_shop_gets_a_generic_preset_of_its_own():
    assert preset_of("my-shop") == preset_of("my-shop")
    assert preset_of("my-shop") != preset_of("your-shop")
    assert play(SimulationPlan("my-shop", 30, 2, 1), 1).deliveries
