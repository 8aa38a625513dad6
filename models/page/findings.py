"""What a comparison says in sentences: who is ahead, by how much, in which slice, at what price."""

from __future__ import annotations

from models.intervals import Estimate
from models.page.reports import Comparison, Run

BASELINE = "popularity"
LEAST_ROWS = 20  # a smaller slice says nothing


def findings(found: Comparison) -> list[str]:
    """Sentences, most important first; each follows from the reports alone."""
    best = found.runs[0]
    return [
        *_lead(found),
        *_over_popularity(found, best),
        *_by_slice(found, best),
        *_price(found, best),
    ]


def _lead(found: Comparison) -> list[str]:
    best, gains = found.runs[0], found.gains()
    mean = best.estimate(found.metric).mean
    if len(found.runs) == 1:
        return [f"{best.name} has {found.metric} {mean:.4f}; nothing stands beside it."]
    equal = [name for name, gain in gains.items() if gain.high >= 0]
    behind = [name for name, gain in gains.items() if gain.high < 0]
    told = [f"{best.name} leads with {found.metric} {mean:.4f}."]
    if behind:
        told.append(f"Row by row it is ahead of {_and(behind)} by more than chance.")
    if equal:
        told.append(f"These rows do not tell it apart from {_and(equal)}: take the cheaper one.")
    if not gains:
        told.append("The runs kept no values of test rows (--per-user), so no paired test was made.")
    return told


def _over_popularity(found: Comparison, best: Run) -> list[str]:
    base = next((run for run in found.runs if run.name == BASELINE), None)
    if base is None or base is best:
        return (
            [] if base is None else ["Nothing beats popularity here: these data show no personal taste that the models find."]
        )
    low, high = base.estimate(found.metric).mean, best.estimate(found.metric).mean
    told = f"Taste counts: {best.name} has {high / low:.1f} times the {found.metric} of popularity" if low else ""
    k = next((name for name in best.report if name.startswith("coverage@")), None)
    if told and k:
        told += f", and its lists show {best.report[k]:.1%} of the catalogue against {base.report[k]:.1%}"
    return [f"{told}."] if told else []


def slice_estimates(found: Comparison) -> dict[str, dict[str, Estimate]]:
    """By slice of ``LEAST_ROWS`` rows or more, and run: mean and interval of the comparison's metric."""
    table: dict[str, dict[str, Estimate]] = {}
    for run in found.runs:
        for name, part in run.report.get("slices", {}).items():
            if "intervals" in part and next(iter(part.values())) >= LEAST_ROWS:
                table.setdefault(name, {})[run.name] = Estimate(part[found.metric], *part["intervals"][found.metric])
    return table


def _by_slice(found: Comparison, best: Run) -> list[str]:
    told = []
    for name, estimates in slice_estimates(found).items():
        first = max(estimates, key=lambda run: estimates[run].mean)
        if first == best.name or best.name not in estimates:
            continue
        other, own = estimates[first], estimates[best.name]
        is_clear = other.low > own.high
        told.append(
            f"In the slice {name.replace('_', ' ')} {first} is ahead ({other.mean:.4f} against {own.mean:.4f}"
            f"{'' if is_clear else ', intervals overlap'})."
        )
    return told


def _price(found: Comparison, best: Run) -> list[str]:
    low = best.estimate(found.metric).low
    return [
        f"{run.name} trains in {run.training_s:.1f} s instead of {best.training_s:.1f} s, and its interval reaches that of "
        f"{best.name}."
        for run in found.runs[1:]
        if run.estimate(found.metric).high >= low and run.training_s < best.training_s / 2
    ]


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
