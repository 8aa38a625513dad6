"""What a comparison says in sentences: who is ahead, by how much, in which slice, at what price."""

from __future__ import annotations

from models.evaluation.comparison import BASELINE
from models.evaluation.intervals import Estimate
from models.page.reports import Comparison, ReportedRun

LEAST_ROWS = 20  # a smaller slice says nothing


def findings(comparison: Comparison) -> list[str]:
    """Sentences, most important first; each follows from the reports alone."""
    best = comparison.runs[0]
    return [
        *_lead(comparison),
        *_over_popularity(comparison, best),
        *_by_slice(comparison, best),
        *_price(comparison, best),
    ]


def _lead(comparison: Comparison) -> list[str]:
    best, gains = comparison.runs[0], comparison.gains()
    mean = best.estimate(comparison.metric).mean
    if len(comparison.runs) == 1:
        return [f"{best.name} has {comparison.metric} {mean:.4f}; nothing stands beside it."]
    equal = [name for name, gain in gains.items() if gain.high >= 0]
    behind = [name for name, gain in gains.items() if gain.high < 0]
    sentences = [f"{best.name} leads with {comparison.metric} {mean:.4f}."]
    if behind:
        sentences.append(f"Row by row it is ahead of {_and(behind)} by more than chance.")
    if equal:
        sentences.append(f"These rows do not tell it apart from {_and(equal)}: take the cheaper one.")
    if not gains:
        sentences.append("The runs kept no values of test rows (--per-user), so no paired test was made.")
    return sentences


def _over_popularity(comparison: Comparison, best: ReportedRun) -> list[str]:
    base = next((run for run in comparison.runs if run.name == BASELINE), None)
    if base is None or base is best:
        return (
            [] if base is None else ["Nothing beats popularity here: these data show no personal taste that the models find."]
        )
    low, high = base.estimate(comparison.metric).mean, best.estimate(comparison.metric).mean
    sentence = f"Taste counts: {best.name} has {high / low:.1f} times the {comparison.metric} of popularity" if low else ""
    k = next((name for name in best.report if name.startswith("coverage@")), None)
    if sentence and k:
        sentence += f", and its lists show {best.report[k]:.1%} of the catalogue against {base.report[k]:.1%}"
    return [f"{sentence}."] if sentence else []


def slice_estimates(comparison: Comparison) -> dict[str, dict[str, Estimate]]:
    """By slice of ``LEAST_ROWS`` rows or more, and run: mean and interval of the comparison's metric."""
    table: dict[str, dict[str, Estimate]] = {}
    for run in comparison.runs:
        for name, part in run.report.get("slices", {}).items():
            if "intervals" in part and next(iter(part.values())) >= LEAST_ROWS:
                table.setdefault(name, {})[run.name] = Estimate(part[comparison.metric], *part["intervals"][comparison.metric])
    return table


def _by_slice(comparison: Comparison, best: ReportedRun) -> list[str]:
    sentences = []
    for name, estimates in slice_estimates(comparison).items():
        first = max(estimates, key=lambda run: estimates[run].mean)
        if first == best.name or best.name not in estimates:
            continue
        other, leader = estimates[first], estimates[best.name]
        is_clear = other.low > leader.high
        sentences.append(
            f"In the slice {name.replace('_', ' ')} {first} is ahead ({other.mean:.4f} against {leader.mean:.4f}"
            f"{'' if is_clear else ', intervals overlap'})."
        )
    return sentences


def _price(comparison: Comparison, best: ReportedRun) -> list[str]:
    low = best.estimate(comparison.metric).low
    return [
        f"{run.name} trains in {run.training_s:.1f} s instead of {best.training_s:.1f} s, and its interval reaches that of "
        f"{best.name}."
        for run in comparison.runs[1:]
        if run.estimate(comparison.metric).high >= low and run.training_s < best.training_s / 2
    ]


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
