"""The gate: a candidate is released when something in it beats popularity, it is sane, and what is in use is not better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.algorithms.recommender import State
from models.evaluation.comparison import BASELINE
from models.evaluation.metrics import MAIN_METRIC

PROTOCOL = "all_items"
LEAST_PERSONS = 20
LEAST_COVERAGE = 0.005
PERSONAL = ("als", "item_knn")


@dataclass(frozen=True)
class Check:
    """One check of a candidate: whether it passed, and a sentence with the figures."""

    name: str
    is_passed: bool
    sentence: str


class TooFewPersons(ValueError):
    """Fewer test customers than the gate asks for: it would refuse whatever is trained."""


def enough_persons(persons: int) -> Check:
    """Whether a release can be judged by so many test customers."""
    sentence = f"{persons} test customers, at least {LEAST_PERSONS} are needed"
    return Check("enough_persons", persons >= LEAST_PERSONS, sentence)


def refuse_too_few(persons: int) -> None:
    """Raise TooFewPersons, in the gate's words, where the gate would refuse for it."""
    check = enough_persons(persons)
    if not check.is_passed:
        raise TooFewPersons(check.sentence)


def beating(report: dict[str, Any]) -> list[str]:
    """The ladder's personal models that surely beat popularity."""
    return [name for name, check in zip(PERSONAL, _better(report), strict=True) if check.is_passed]


def decide_release(
    report: dict[str, Any],
    states: dict[str, State],
    item_ids: Sequence[str],
    catalogue: set[str],
    answered: Sequence[str] = (),
    comparisons: Sequence[Check] = (),
) -> dict[str, Any]:
    """All checks and the decision as plain values; ``catalogue`` holds the shop's item ids.

    ``answered`` are placements whose own model beats popularity (``models.release.model_choice``): one of them, or one of the
    ladder's personal models, must be there. ``comparisons`` are those with the release in use.
    """
    checks = [*_better(report), *_sane(report, states, item_ids, catalogue), *comparisons]
    beats = beating(report)
    others_passed = all(check.is_passed for check in checks[len(PERSONAL) :])
    is_released = bool(beats or answered) and others_passed
    failed = [check.sentence for check in checks if not check.is_passed]
    won = f"{' and '.join(beats)} beat popularity" if beats else f"{', '.join(answered)} have a model that beats popularity"
    won += "".join(f"; {each.sentence}" for each in comparisons)
    sentence = f"released: {won}" if is_released else "refused: " + "; ".join(failed)
    return {"is_released": is_released, "sentence": sentence, "beats_popularity": beats, "checks": [asdict(c) for c in checks]}


def _better(report: dict[str, Any]) -> list[Check]:
    models = report["protocols"][PROTOCOL]["models"]
    checks = []
    for name in PERSONAL:
        metric = models[name]["metrics"][MAIN_METRIC]
        gain, base = metric["over_popularity"], models[BASELINE]["metrics"][MAIN_METRIC]
        sentence = (
            f"{name} {MAIN_METRIC} {metric['mean']:.4f} against popularity {base['mean']:.4f}, "
            f"difference {gain['mean']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
        )
        checks.append(Check(f"{name}_beats_popularity", gain["low"] > 0, sentence))
    return checks


def _sane(report: dict[str, Any], states: dict[str, State], item_ids: Sequence[str], catalogue: set[str]) -> list[Check]:
    section = report["protocols"][PROTOCOL]
    widest = max(section["models"][name]["coverage@20"] for name in PERSONAL)
    strange = sum(item_id not in catalogue for item_id in item_ids)
    sizes = {
        "popularity": len(states["popularity"]["sales"]),
        "item_knn": int(states["item_knn"]["items"][0]),
        "als": len(states["als"]["item_factors"]),
    }
    wrong = {name: size for name, size in sizes.items() if size != len(item_ids)}
    floats = [array for state in states.values() for array in state.values() if np.issubdtype(array.dtype, np.floating)]
    is_finite = all(bool(np.isfinite(array).all()) for array in floats)
    factors = states["als"]["item_factors"]
    is_constant = bool(len(factors) > 1 and np.ptp(factors, axis=0).max() == 0)
    return [
        enough_persons(section["persons"]),
        Check("coverage", widest >= LEAST_COVERAGE, f"lists cover {widest:.2%} of the items, at least {LEAST_COVERAGE:.2%}"),
        Check("known_items", strange == 0, f"{strange} items are not in the shop's catalogue"),
        Check("right_size", not wrong, f"models over {len(item_ids)} items" + (f", but {wrong}" if wrong else "")),
        Check("finite", is_finite, "every number is finite" if is_finite else "a number is NaN or infinite"),
        Check("not_constant", not is_constant, "items differ" if not is_constant else "every item has the same factors"),
    ]
