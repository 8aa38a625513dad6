"""How costs grow is told apart from what a start takes, and what grows too steeply is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import growth
from bench.growth import StepCost, exponent_of, growth_of, measure

EVENTS = [1_000, 3_000, 10_000]


def costs(start: float, rate: float, power: float) -> list[float]:
    return [start + rate * (number / EVENTS[0]) ** power for number in EVENTS]


@pytest.mark.parametrize("start", [0, 5, 60])
@pytest.mark.parametrize("power", [0.5, 1.0, 1.15, 1.5, 2.0])
def test_the_exponent_is_that_of_what_grows_whatever_the_start_takes(start: float, power: float) -> None:
    assert exponent_of(EVENTS, costs(start, 4, power)) == pytest.approx(power, abs=0.01)


def test_sizes_are_those_that_were_measured_not_those_that_were_asked_for() -> None:
    events = [1_000, 2_500, 13_000]
    seconds = [7 + 2 * (number / 1_000) ** 1.3 for number in events]
    assert exponent_of(events, seconds) == pytest.approx(1.3, abs=0.01)


@pytest.mark.parametrize(
    ("seconds", "exponent"),
    [
        pytest.param([40, 41, 42], None, id="lost in the start"),
        pytest.param([40, 38, 36], None, id="falls"),
        pytest.param([40, 39, 80], 3.0, id="the middle one cheaper than the smallest"),
        pytest.param([40, 79, 80], 0.0, id="grows no more after the middle one"),
    ],
)
def test_what_no_power_gives_is_at_a_bound(seconds: list[float], exponent: float | None) -> None:
    fitted = exponent_of(EVENTS, seconds)
    assert fitted == (None if exponent is None else pytest.approx(exponent, abs=0.01))


def test_what_grows_faster_than_linear_is_named_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    curves = {"landing": costs(9, 1, 1.0), "silver": costs(30, 2, 1.4), "marts": [40.0, 40.5, 41.0]}
    growths = [growth_of(step, EVENTS, [StepCost(each, each, 0.5) for each in curve]) for step, curve in curves.items()]
    monkeypatch.setattr(growth, "measure", lambda *_: (EVENTS, growths))
    monkeypatch.setattr(sys, "argv", ["growth"])
    assert growth.main() == 1
    rows = [line for line in capfd.readouterr().out.splitlines() if "faster than linear" in line]
    assert len(rows) == 1
    assert "silver" in rows[0]
    assert "1.40" in rows[0]
    monkeypatch.setattr(growth, "measure", lambda *_: (EVENTS, [growths[0], growths[2]]))
    monkeypatch.setattr(sys, "argv", ["growth", "--json"])
    assert growth.main() == 0
    assert json.loads(capfd.readouterr().out)["steps"]["marts"]["exponent"] is None


def test_a_small_run_measures_a_step_in_three_sizes(tmp_path: Path) -> None:
    events, [landing] = measure(tmp_path, users=40, days=2, chosen=["landing"])
    assert 0 < events[0] < events[1] < events[2]
    assert landing.step == "landing"
    assert all(each.cpu_s > 0 and each.peak_gb > 0 for each in landing.costs)
