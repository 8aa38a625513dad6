"""The picture of one run: faults in time, acknowledged events a second, and how long shoppers waited."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from chaos.faults import PROCESSES

KILL, STOP, MACHINE = "#c0392b", "#e08e2b", "#7d5ba6"
_LINE, _GRID = "#1f4e79", "#dddddd"


def draw_run(result: dict[str, Any], file: Path) -> None:
    """Write the picture as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    began = result["began"]
    figure, (faults, rate, answers, fresh) = plt.subplots(
        4, 1, figsize=(12, 10.5), sharex=True, height_ratios=(2.4, 1, 1, 1), layout="constrained"
    )
    _draw_faults(faults, result["faults"], began)
    _draw_rate(rate, result["answers"], began)
    waits = [(at - began - after_s, after_s) for at, after_s, _ in result["answers"]]
    shown = [(probe["at"] - began, probe["fresh_s"]) for probe in result["probes"] if probe["fresh_s"] is not None]
    _draw_waits(answers, waits, "acknowledged\nafter (s)")
    _draw_waits(fresh, shown, "in the online store\nafter (s)")
    last = max(result["faults"], key=lambda fault: fault["ended"], default={"ended": began})["ended"]
    fresh.set_xlim(0, last - began + 15)
    fresh.set_xlabel("seconds since the platform was up")
    for axis in (rate, answers, fresh):
        for fault in result["faults"]:
            if fault["skipped"] is None:
                _shade(axis, fault, began)
    figure.suptitle(
        f"Chaos run of {result['date']}, seed {result['seed']}, {result['machine']}, online store {result['store']}"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _draw_faults(axis: Any, faults: list[dict[str, Any]], began: float) -> None:
    targets = sorted(
        {_lane(fault) for fault in faults}, key=lambda lane: (PROCESSES.index(lane) if lane in PROCESSES else 99, lane)
    )
    axis.set_axisbelow(True)
    for fault in faults:
        if fault["skipped"] is not None:
            continue
        height = targets.index(_lane(fault))
        at, kind = fault["began"] - began, fault["fault"]["kind"]
        if kind == "kill":
            axis.plot([at], [height], marker="x", color=KILL, markersize=9, markeredgewidth=2.5)
        else:
            axis.barh(height, fault["ended"] - fault["began"], left=at, height=0.55, color=_colour(fault))
    axis.set_yticks(range(len(targets)), targets)
    axis.invert_yaxis()
    axis.grid(True, axis="x", color=_GRID)
    for label, mark, colour in (("killed", "x", KILL), ("stopped", "s", STOP), ("disk or clock", "s", MACHINE)):
        axis.plot([], [], mark, color=colour, label=label, markeredgewidth=2.5)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)


def _draw_rate(axis: Any, answers: list[list[float]], began: float) -> None:
    by_second: Counter[int] = Counter()
    for at, _, events in answers:
        by_second[int(at - began)] += int(events)
    seconds = range(max(by_second, default=0) + 1)
    axis.plot(seconds, [by_second[second] for second in seconds], color=_LINE, linewidth=1)
    axis.set_ylabel("acknowledged\nevents/s")
    axis.grid(True, color=_GRID)


def _draw_waits(axis: Any, waits: list[tuple[float, float]], label: str) -> None:
    """Each wait as a line from its begin to its end, at the height of its length."""
    heights = [wait for _, wait in waits]
    axis.hlines(heights, [at for at, _ in waits], [at + wait for at, wait in waits], color=_LINE, linewidth=1, alpha=0.6)
    axis.scatter([at + wait for at, wait in waits], heights, s=5, color=_LINE, linewidths=0)
    axis.set_yscale("log")
    axis.set_ylabel(label)
    axis.grid(True, color=_GRID)


def _lane(fault: dict[str, Any]) -> str:
    kind, target = fault["fault"]["kind"], fault["fault"]["target"]
    return str(target) if kind in ("kill", "stop") else str(kind).replace("_", " ")


def _colour(fault: dict[str, Any]) -> str:
    return STOP if fault["fault"]["kind"] == "stop" else MACHINE


def _shade(axis: Any, fault: dict[str, Any], began: float) -> None:
    at, until = fault["began"] - began, fault["ended"] - began
    if fault["fault"]["kind"] == "kill":
        axis.axvline(at, color=KILL, linewidth=0.8, alpha=0.6)
    else:
        axis.axvspan(at, until, color=_colour(fault), alpha=0.13, linewidth=0)
