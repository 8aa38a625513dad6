"""Charts of a notebook show every value, also those below zero: a day on which more came back than was sold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from notebooks import drawing


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    plt.switch_backend("agg")
    yield
    plt.close("all")


DAYS = pd.DataFrame({"net": [100.0, -50.0, None]}, index=pd.date_range("2026-01-01", periods=3))
EFFECTS = pd.DataFrame({"value": [0.2, -0.1], "low": [0.1, -0.3], "high": [0.4, 0.1]})


@pytest.mark.parametrize(
    ("draw", "axis", "least", "most"),
    [
        (lambda: drawing.days(DAYS, {"net": "net"}), "y", -50, 100),
        (lambda: drawing.days(DAYS.abs(), {"net": "net"}), "y", 0, 100),
        (lambda: drawing.bars(pd.Series({"a": 10.0, "b": -5.0, "c": None}), "en", "zh"), "x", -5, 10),
        (lambda: drawing.bars(pd.Series({"a": -5.0}), "en", "zh"), "x", -5, 0),
        (lambda: drawing.bars(pd.Series({"a": 0.0}), "en", "zh"), "x", 0, 0),
        (lambda: drawing.curves(pd.DataFrame({"c": [1.0, -2.0]}), "en", "zh", across="x", down="y"), "y", -2, 1),
        (lambda: drawing.intervals(EFFECTS, "en", "zh", across="x"), "x", -0.3, 0.4),
        (lambda: drawing.dots(EFFECTS, "en", "zh", across="x"), "x", -0.3, 0.4),
    ],
)
def test_an_axis_holds_zero_and_all_values(draw: Callable[[], None], axis: str, least: float, most: float) -> None:
    draw()
    low, high = getattr(plt.gcf().axes[0], f"get_{axis}lim")()
    assert low <= least
    assert high >= most
    assert low < high
    assert low == 0 or least < 0, "what is all above zero begins there"
