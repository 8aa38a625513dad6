"""Which model a placement gets: the best of those whose gain over popularity is significant and whose arrays are
finite; else the ladder, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from models.algorithms.recommender import State
from models.candidates.recipes import KNOWN, Recipe
from models.candidates.stored_models import files_of
from models.evaluation.comparison import BASELINE
from models.evaluation.intervals import bootstrap
from models.evaluation.metrics import MAIN_METRIC, Values
from models.release.checks import LEAST_COVERAGE, LEAST_PERSONS

LADDER = "ladder"


def choose_recipe(
    placement: str,
    judged: dict[str, Any],
    read: Callable[[str], State],
    values: Mapping[str, Values] | None = None,
    in_use: str | None = None,
) -> dict[str, Any]:
    """The model of one placement as plain values: its recipe, or ``ladder``, and one sentence with the figures.

    ``judged`` is the placement's report, ``read`` gives the arrays of the full models by file. ``in_use`` is the model that
    answers now: it stays unless another one is surely better, by the main metric of each person (``values`` by model).
    """
    models = judged["models"]
    if not models:
        return _ladder("the test days hold no case of its question")
    if judged["persons"] < LEAST_PERSONS:
        return _ladder(f"{judged['persons']} persons to judge by, at least {LEAST_PERSONS} are needed")
    tried = [each for each in KNOWN[placement] if each.name in models]
    sure = [each for each in tried if models[each.name]["surely_above_popularity"] > 0]
    recipe = max(sure or tried, key=lambda each: _mean(models[each.name]))
    kept = next((each for each in sure if each.name == in_use and each != recipe), None)
    tie = ""
    if kept is not None and values is not None:
        gain = bootstrap(values[recipe.name] - values[kept.name])
        if not gain.low > 0:
            tie = f"; {recipe.name} is not surely better, difference {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
            recipe = kept
    result, base = models[recipe.name], models[BASELINE]
    over = result["metrics"][MAIN_METRIC]["over_popularity"]
    sentence = (
        f"{recipe.name} {MAIN_METRIC} {_mean(result):.4f} against popularity {_mean(base):.4f}, "
        f"difference {over['mean']:+.4f} [{over['low']:+.4f}, {over['high']:+.4f}]{tie}"
    )
    if not sure:
        return _ladder(f"{sentence}, which may be luck among {len(models) - 1} models")
    if result["coverage@20"] < LEAST_COVERAGE:
        return _ladder(f"lists of {recipe.name} cover {result['coverage@20']:.2%} of the items, at least {LEAST_COVERAGE:.2%}")
    problem = _insane(recipe, read)
    return _ladder(problem) if problem else {"model": recipe.name, "recipe": recipe.as_json(), "sentence": sentence}


def _ladder(because: str) -> dict[str, Any]:
    return {"model": LADDER, "recipe": None, "sentence": because}


def _mean(model: dict[str, Any]) -> float:
    return float(model["metrics"][MAIN_METRIC]["mean"])


def _insane(recipe: Recipe, read: Callable[[str], State]) -> str | None:
    """What is wrong with the arrays of the full model, if anything is."""
    for name in files_of([recipe]):
        for key, array in read(name).items():
            if array.size == 0:
                return f"{name} has nothing to say: {key} is empty"
            if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
                return f"{name} holds numbers that are not finite"
    return None
