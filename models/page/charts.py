"""Charts as inline SVG: intervals on a line, quality against time, calibration. Colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from models.evaluation.intervals import Estimate

WIDTH, LABEL, VALUE, ROW = 980, 170, 200, 26
SCATTER_W, SCATTER_H, EDGE = 470, 290, 46


@dataclass(frozen=True)
class Point:
    """A model in a scatter: ``x`` above 0 is drawn on a logarithmic axis."""

    name: str
    x: float
    y: Estimate


def intervals(rows: Sequence[tuple[str, Estimate]], title: str, *, has_zero: bool = False, signed: bool = False) -> str:
    """A dot and a 95 % interval a row, values at the right; ``has_zero`` puts zero on the axis and marks it."""
    low = min([each.low for _, each in rows] + [0.0] * has_zero)
    high = max([each.high for _, each in rows] + [0.0] * has_zero)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 0.01
    low, high = (low - margin, high + margin) if has_zero else (max(0.0, low - margin), high + margin)

    def at(value: float) -> float:
        return LABEL + (value - low) / (high - low) * (WIDTH - LABEL - VALUE)

    height = ROW * len(rows) + 34
    parts = [
        f'<line class="grid" x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="4" y2="{height - 28}"/>'
        f'<text class="tick" x="{at(tick):.1f}" y="{height - 12}" text-anchor="middle">{_number(tick)}</text>'
        for tick in ticks(low, high)
    ]
    if has_zero:
        parts.append(f'<line class="zero" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="4" y2="{height - 28}"/>')
    for place, (name, each) in enumerate(rows):
        y = ROW * place + 18
        label = f"{each.mean:+.4f}" if signed else f"{each.mean:.4f}"
        kind = "first" if place == 0 and not signed else "other"
        parts.append(
            f'<text class="name" x="{LABEL - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
            f'<line class="bar {kind}" x1="{at(each.low):.1f}" x2="{at(each.high):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="dot {kind}" cx="{at(each.mean):.1f}" cy="{y}" r="4.5"/>'
            f'<text class="value" x="{WIDTH - VALUE + 14}" y="{y + 4}">{label} '
            f'<tspan class="soft">[{each.low:.4f}, {each.high:.4f}]</tspan></text>'
        )
    return _svg(WIDTH, height, title, parts)


def scatter(points: Sequence[Point], title: str, x_label: str, y_label: str) -> str:
    """Quality against a time, up and to the left is better; each model with its interval and name."""
    xs = [math.log10(max(point.x, 1e-4)) for point in points]
    low_x, high_x = math.floor(min(xs)), max(math.ceil(max(xs)), math.floor(min(xs)) + 1)
    low, high = min(p.y.low for p in points), max(p.y.high for p in points)
    margin = (high - low) * 0.08 or 0.01
    low, high = max(0.0, low - margin), high + margin

    def across(value: float) -> float:
        return EDGE + (value - low_x) / (high_x - low_x) * (SCATTER_W - EDGE - 16)

    def up(value: float) -> float:
        return SCATTER_H - EDGE - (value - low) / (high - low) * (SCATTER_H - EDGE - 14)

    bottom, right = SCATTER_H - EDGE, SCATTER_W - 16
    parts = [
        f'<line class="grid" x1="{EDGE}" x2="{right}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>'
        f'<text class="tick" x="{EDGE - 6}" y="{up(tick) + 4:.1f}" text-anchor="end">{_number(tick)}</text>'
        for tick in ticks(low, high)
    ]
    parts += [
        f'<line class="grid" x1="{across(power):.1f}" x2="{across(power):.1f}" y1="14" y2="{bottom}"/>'
        f'<text class="tick" x="{across(power):.1f}" y="{bottom + 15}" text-anchor="middle">{10.0**power:g}</text>'
        for power in range(low_x, high_x + 1)
    ]
    taken: list[tuple[float, float]] = []
    for point, log_x in sorted(zip(points, xs, strict=True), key=lambda pair: -pair[0].y.mean):
        x, y = across(log_x), up(point.y.mean)
        label_y = _free(x, y, taken)
        anchor, shift = ("end", -9) if x > SCATTER_W * 0.62 else ("start", 9)
        parts.append(
            f'<line class="bar other" x1="{x:.1f}" x2="{x:.1f}" y1="{up(point.y.low):.1f}" y2="{up(point.y.high):.1f}"/>'
            f'<circle class="dot other" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
            f'<text class="name" x="{x + shift:.1f}" y="{label_y + 4:.1f}" text-anchor="{anchor}">{escape(point.name)}</text>'
        )
    middle = (EDGE + right) / 2
    parts.append(f'<text class="axis" x="{middle:.0f}" y="{SCATTER_H - 8}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(f'<text class="axis" x="{EDGE}" y="10">{escape(y_label)}</text>')
    return _svg(SCATTER_W, SCATTER_H, title, parts)


def calibration(points: Sequence[tuple[float, float]], title: str) -> str:
    """Share of hits against the mean chance of each group; on the diagonal a chance is what it says."""
    high = max(max(point) for point in points) * 1.08 or 1.0

    def across(value: float) -> float:
        return EDGE + value / high * (SCATTER_W - EDGE - 16)

    def up(value: float) -> float:
        return SCATTER_H - EDGE - value / high * (SCATTER_H - EDGE - 14)

    parts = [f'<line class="zero" x1="{across(0):.1f}" y1="{up(0):.1f}" x2="{across(high):.1f}" y2="{up(high):.1f}"/>']
    for tick in ticks(0, high):
        parts.append(f'<line class="grid" x1="{EDGE}" x2="{SCATTER_W - 16}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{EDGE - 6}" y="{up(tick) + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
        parts.append(
            f'<text class="tick" x="{across(tick):.1f}" y="{SCATTER_H - EDGE + 15}" text-anchor="middle">{_number(tick)}</text>'
        )
    parts += [f'<circle class="dot first" cx="{across(x):.1f}" cy="{up(y):.1f}" r="4.5"/>' for x, y in points]
    parts.append(f'<text class="axis" x="{SCATTER_W / 2:.0f}" y="{SCATTER_H - 8}" text-anchor="middle">mean chance</text>')
    parts.append(f'<text class="axis" x="{EDGE}" y="10">share of hits</text>')
    return _svg(SCATTER_W, SCATTER_H, title, parts)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within [low, high], at most ``most``."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step)
    return [round(number * step, 10) for number in range(first, math.floor(high / step) + 1)]


def _free(x: float, y: float, taken: list[tuple[float, float]]) -> float:
    """The height nearest to ``y`` at which a label does not lie on another one."""
    for shift in (0, -13, 13, -26, 26, -39, 39):
        if all(abs(x - other_x) > 90 or abs(y + shift - other_y) >= 12 for other_x, other_y in taken):
            taken.append((x, y + shift))
            return y + shift
    taken.append((x, y))
    return y


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if value else "0"


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
