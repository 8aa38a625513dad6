"""Charts of the comparison page: what stands where."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from models.evaluation.intervals import Estimate
from models.page import charts

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_a_dot_stands_where_its_mean_is() -> None:
    rows = [("a", Estimate(0.2, 0.1, 0.3)), ("b", Estimate(0.3, 0.2, 0.5))]
    root = drawn(charts.intervals(rows, "t"))
    dots = [float(circle.get("cx", "")) for circle in root.iter(f"{SVG}circle")]
    bars = [line for line in root.iter(f"{SVG}line") if "bar" in line.get("class", "")]
    a, b = ((float(bar.get("x1", "")), float(bar.get("x2", ""))) for bar in bars)
    assert a[0] < dots[0] < a[1]
    assert dots[0] - a[0] == pytest.approx(a[1] - dots[0], abs=0.2)
    assert (dots[1] - b[0]) * 2 == pytest.approx(b[1] - dots[1], abs=0.4)
    assert b[0] == pytest.approx(dots[0], abs=0.1)


def test_a_tenfold_time_is_the_same_step_everywhere() -> None:
    points = [charts.Point(str(x), x, Estimate(0.2, 0.1, 0.3)) for x in (0.1, 1.0, 10.0)]
    root = drawn(charts.scatter(points, "t", "s", "ndcg"))
    across = sorted({float(circle.get("cx", "")) for circle in root.iter(f"{SVG}circle")})
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.05, 0.002), (0.1, 0.1001), (0, 40)])
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    result = charts.ticks(low, high)
    assert 2 <= len(result) <= 7
    assert all(low <= tick <= high for tick in result)
