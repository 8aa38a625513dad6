"""What the template shows of a comparison: findings, charts, tables."""

from __future__ import annotations

import json
from dataclasses import dataclass

from markupsafe import Markup

from models.page import charts
from models.page.findings import findings, slice_estimates
from models.page.reports import Comparison, ReportedRun

UP_AND_LEFT = "Up and to the left is better. Seconds are wall time of one run on a shared machine: compare within a page only."


@dataclass(frozen=True)
class Figure:
    """A chart as SVG, with its caption and a remark below."""

    caption: str
    drawing: Markup
    remark: str = ""


@dataclass(frozen=True)
class ComparisonSection:
    """All runs on one data set.

    ``parameters``: of each run, given or chosen, as JSON. ``item_groups``: by name the main metric of each run where only the
    items of the group are right, None where a report has none.
    """

    group: Comparison
    facts: str
    findings: list[str]
    figures: list[Figure]
    coverage_names: list[str]
    parameters: list[str]
    slices: list[Figure]
    item_groups: list[tuple[str, list[float | None]]]
    calibrations: list[Figure]

    @classmethod
    def of(cls, group: Comparison) -> ComparisonSection:
        """Everything from the reports."""
        return cls(
            group,
            _facts(group.runs[0]),
            findings(group),
            [*_quality(group), _times(group)],
            [name for name in group.runs[0].report if name.startswith("coverage@")],
            [_parameters(run) for run in group.runs],
            _slices(group),
            _item_groups(group),
            [_calibration(run) for run in group.runs if run.report.get("calibration", {}).get("reliability")],
        )


def _facts(run: ReportedRun) -> str:
    numbers = {name: value for name, value in run.report["data"].items() if isinstance(value, int)}
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in numbers.items())


def _quality(group: Comparison) -> list[Figure]:
    metric, leader = group.metric, group.runs[0].name
    means = charts.intervals([(run.name, run.estimate(metric)) for run in group.runs], f"{metric} of each model")
    figures = [Figure(f"{metric}, mean over test rows with 95 % interval", Markup(means))]
    gains = group.gains()
    if gains:
        chart = charts.intervals(list(gains.items()), f"{metric} against {leader}", has_zero=True, signed=True)
        figures.append(Figure(f"{metric} of each model less that of {leader}, row by row", Markup(chart)))
    return figures


def _times(group: Comparison) -> Figure:
    metric = group.metric
    training = [charts.Point(run.name, run.training_s, run.estimate(metric)) for run in group.runs]
    answers = [charts.Point(run.name, run.answer_ms, run.estimate(metric)) for run in group.runs]
    pair = Markup('<div class="pair">{}{}</div>').format(
        Markup(charts.scatter(training, "training time", "seconds to choose and fit", metric)),
        Markup(charts.scatter(answers, "answer time", "ms to rank the catalogue for one row", metric)),
    )
    return Figure("quality against time", pair, UP_AND_LEFT)


def _parameters(run: ReportedRun) -> str:
    chosen = run.report["chosen"]
    return json.dumps(chosen.get("parts", chosen.get("parameters", {})), ensure_ascii=False)


def _slices(group: Comparison) -> list[Figure]:
    figures = []
    for name, estimates in slice_estimates(group).items():
        part = next(run.report["slices"][name] for run in group.runs if name in run.report.get("slices", {}))
        counted, number = next(iter(part.items()))
        title = f"{name.replace('_', ' ')}: {number:,} {counted}"
        figures.append(Figure(title, Markup(charts.intervals(list(estimates.items()), f"{group.metric}, {title}"))))
    return figures


def _item_groups(group: Comparison) -> list[tuple[str, list[float | None]]]:
    parts = [run.report.get("slices_by_item", {}) for run in group.runs]
    names = dict.fromkeys(name for part in parts for name in part)
    return [(name, [part.get(name, {}).get(group.metric) for part in parts]) for name in names]


def _calibration(run: ReportedRun) -> Figure:
    calibration = run.report["calibration"]
    points = [(row["mean_chance"], row["share_of_hits"]) for row in calibration["reliability"]]
    remark = f"Expected calibration error {calibration['expected_error']:.4f}." if "expected_error" in calibration else ""
    return Figure(f"calibration of {run.name}", Markup(charts.calibration(points, f"calibration of {run.name}")), remark)
