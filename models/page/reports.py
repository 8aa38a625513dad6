"""Reports of ``jishi evaluate``, read and set beside those on the same data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from models.evaluation.intervals import Estimate, bootstrap_all
from models.evaluation.metrics import Values, with_todays_names

# What a protocol is judged by first, second, and what counts its test rows.
MAIN = {
    "interactions": ("ndcg", "recall", "test_users"),
    "sessions": ("mrr", "hit_rate", "test_rows"),
    "baskets": ("ndcg", "recall", "test_baskets"),
}


class BadReport(ValueError):
    """A file is no report of ``jishi evaluate``; the message names it and what is missing."""


@dataclass(frozen=True)
class ReportedRun:
    """One report; ``values`` are those of each test row by metric when ``--per-user`` kept them beside it, as ``.parquet``."""

    name: str
    file: Path
    report: dict[str, Any]
    values: dict[str, Values] | None

    def estimate(self, metric: str) -> Estimate:
        """Mean and 95 % interval."""
        return Estimate(self.report["metrics"][metric], *self.report["intervals"][metric])

    @property
    def training_s(self) -> float:
        """Seconds of choosing and fitting."""
        seconds: dict[str, float] = self.report["seconds"]
        return seconds.get("choose", 0.0) + seconds["fit"]

    @property
    def answer_ms(self) -> float:
        """Milliseconds to rank the whole catalogue for one test row."""
        rows = self.report["data"][MAIN[self.report["protocol"]][2]]
        return float(1000 * self.report["seconds"]["rank"] / max(1, rows))


@dataclass(frozen=True)
class Comparison:
    """Runs of one protocol on the same data, best first by ``metric``."""

    protocol: str
    data_set: str
    metric: str
    second: str
    runs: list[ReportedRun]

    def gains(self) -> dict[str, Estimate]:
        """Paired difference of ``metric`` of each run to the best one, where both kept their values."""
        best = self.runs[0]
        pairs = {
            run.name: run.values[self.metric] - best.values[self.metric]
            for run in self.runs[1:]
            if run.values is not None
            and best.values is not None
            and len(run.values[self.metric]) == len(best.values[self.metric])
        }
        return bootstrap_all(pairs) if pairs else {}


def read_run(file: Path) -> ReportedRun:
    """Read and check a report. Raises BadReport."""
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadReport(f"{file}: cannot be read as JSON: {error}") from error
    needed = {"protocol", "model", "metrics", "intervals", "seconds", "data", "chosen", "machine"}
    missing = needed - set(report) if isinstance(report, dict) else needed
    if missing or report["protocol"] not in MAIN:
        raise BadReport(f"{file}: is no report of jishi evaluate; it has no {', '.join(sorted(missing)) or 'known protocol'}")
    report |= {part: with_todays_names(report[part]) for part in ("metrics", "intervals")}
    return ReportedRun(_name(report), file, report, _values(file.with_suffix(".parquet"), report))


def _values(file: Path, report: dict[str, Any]) -> dict[str, Values] | None:
    if not file.exists():
        return None
    columns = with_todays_names({name: name for name in pq.read_schema(file).names})
    known = {name: column for name, column in columns.items() if name in report["metrics"]}
    table = pq.read_table(file, columns=list(known.values()))
    values = {name: table.column(column).to_numpy() for name, column in known.items()}
    if any(abs(values[name].mean() - report["metrics"][name]) > 1e-5 for name in known):
        raise BadReport(f"{file}: holds rows of another run than the report beside it; write both in one run")
    return values or None


def _name(report: dict[str, Any]) -> str:
    chosen = report["chosen"]
    if report["model"] != "auto":
        return str(report["model"])
    parts = chosen.get("shares") or {chosen["model"]: 1.0}
    return f"auto ({' + '.join(parts)})"


def group_runs(runs: Sequence[ReportedRun]) -> list[Comparison]:
    """Group runs by protocol and data facts; runs of one name in one group get the stem of their file."""
    groups: dict[tuple[str, str], list[ReportedRun]] = {}
    for run in runs:
        key = (run.report["protocol"], json.dumps([run.report["data"], sorted(run.report["metrics"])], sort_keys=True))
        groups.setdefault(key, []).append(run)
    return [_comparison(protocol, members) for (protocol, _), members in groups.items()]


def _comparison(protocol: str, runs: list[ReportedRun]) -> Comparison:
    first, second, _ = MAIN[protocol]
    k = min(int(name.partition("@")[2]) for name in runs[0].report["metrics"])
    metric = f"{first}@{k}"
    names = [run.name for run in runs]
    named = [run if names.count(run.name) == 1 else ReportedRun(f"{run.name} ({run.file.stem})", *_rest(run)) for run in runs]
    ordered = sorted(named, key=lambda run: -run.report["metrics"][metric])
    return Comparison(protocol, _common_start([run.file.stem for run in runs]), metric, f"{second}@{k}", ordered)


def _rest(run: ReportedRun) -> tuple[Path, dict[str, Any], dict[str, Values] | None]:
    return run.file, run.report, run.values


def _common_start(names: Sequence[str]) -> str:
    """What all names begin with, or the first name."""
    size = next((at for at, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1), min(map(len, names)))
    return names[0][:size].strip("_-. ") or names[0]
