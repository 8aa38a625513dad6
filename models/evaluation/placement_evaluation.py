"""Judge a placement's models on its cases: lists of the whole catalogue, means over persons, paired against popularity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from models.algorithms.recommender import Items, Scores, top_k
from models.algorithms.sparse_rows import top_of
from models.candidates.recipes import RECIPES, Fitted, Recipe
from models.data.interactions import Interactions, by_sales
from models.data.sequences import Mask, Numbers
from models.data.split import SplitWindow
from models.evaluation.comparison import BASELINE, PairedModels
from models.evaluation.metrics import KS, MAIN_METRIC, Values, coverage, hits_of, measure, ndcg
from models.evaluation.placement_questions import MOST_CASES, Cases, cases_of

BATCH = 500
DENSE_ITEMS = 5_000  # up to here a full row is read faster than the lists of a sparse one are put together


def lists_of(weights: sparse.csr_matrix, fill: Numbers, masked: sparse.csr_matrix, k: int) -> Items:
    """The best ``k`` items of each row that are not ``masked``, equal weights and items without one in the order of ``fill``.

    ``fill`` names every item once. A row ends in −1 where the catalogue has no more.
    """
    place = np.empty(len(fill), dtype=np.int64)
    place[fill] = np.arange(len(fill))
    in_order, hidden = (sparse.csr_matrix((m.data, place[m.indices], m.indptr), shape=m.shape) for m in (weights, masked))
    if len(fill) <= DENSE_ITEMS:  # with zeros for the rest, what sells follows by itself
        lists = np.full((weights.shape[0], k), -1, dtype=np.int64)
        best = top_k(in_order.toarray(), k, hidden)
        lists[:, : best.shape[1]] = best
    else:
        lists = top_of(in_order, k + int(np.diff(masked.indptr).max(initial=0)))
        gone = (lists < 0) | hits_of(lists, hidden)
        kept = np.argsort(gone, axis=1, kind="stable")[:, :k]
        lists = np.where(np.take_along_axis(gone, kept, axis=1), -1, np.take_along_axis(lists, kept, axis=1))
    return np.where(lists >= 0, fill[lists], -1)


def values_of(lists: Items, cases: Cases) -> dict[str, Values]:
    """Each metric of each person who has a case: the mean over the person's cases, which are not independent of each other."""
    relevant = np.diff(cases.truth.indptr).astype(np.int64)
    values = measure(hits_of(lists, cases.truth), relevant, KS)
    return {name: mean_of_each(each, cases.person) for name, each in values.items()}


def mean_of_each(values: Values, person: Numbers) -> Values:
    """The mean over the cases of each person, persons rising."""
    people, owner = np.unique(person, return_inverse=True)
    return np.bincount(owner, weights=values, minlength=len(people)) / np.bincount(owner, minlength=len(people))


def main_values(lists: Items, cases: Cases) -> Values:
    """The main metric of each case."""
    hits, relevant = hits_of(lists, cases.truth), np.diff(cases.truth.indptr).astype(np.int64)
    return ndcg(hits[:, :10], relevant)


def placement_report(lists: dict[str, Items], cases: Cases, items: int) -> dict[str, Any]:
    """Of each model every metric with its interval and its paired difference to popularity, and the coverage of its lists.

    ``surely_above_popularity`` is a difference that all models together exceed with 97.5 % confidence (Bonferroni): the best
    of many is lucky, too.
    """
    paired = PairedModels({name: values_of(ranked, cases) for name, ranked in lists.items()})
    metrics = paired.report()
    models: dict[str, Any] = {}
    for name, ranked in lists.items():
        models[name] = {"metrics": metrics[name], "coverage@20": round(coverage(ranked, items), 6)}
        if name != BASELINE:
            surely = paired.difference(name, BASELINE, MAIN_METRIC, level=1 - 0.05 / (len(lists) - 1))
            models[name]["surely_above_popularity"] = round(surely.low, 6)
    return {"cases": len(cases), "persons": len(np.unique(cases.person)), "models": models}


def lists_of_recipes(fitted: Fitted, recipes: Sequence[Recipe], cases: Cases, fill: Numbers) -> dict[str, Items]:
    """The lists of what sells and of each recipe, by name."""
    lists = {BASELINE: np.concatenate([_lists(None, fitted, part, fill) for part in _batches(cases)])}
    for recipe in recipes:
        lists[recipe.name] = np.concatenate([_lists(recipe, fitted, part, fill) for part in _batches(cases)])
    return lists


def evaluate_placements(
    fitted: Fitted,
    asked: Mapping[str, Sequence[Recipe]],
    acts: Interactions,
    window: SplitWindow,
    sales: Scores,
    is_bought_again: Mask,
) -> tuple[dict[str, Any], dict[str, dict[str, Values]]]:
    """The report of every placement, without models where there is no case, and by placement and model the main metric of each
    person, so that any two models can be compared later.

    A placement that is not ``asked`` has no case. ``sales`` are those of the training window, as is ``is_bought_again``, which
    marks items that may be offered again to who just paid for them.
    """
    fill = by_sales(sales)
    reports: dict[str, Any] = {placement: {"cases": 0, "persons": 0, "models": {}} for placement in RECIPES}
    values: dict[str, dict[str, Values]] = {}
    for placement, recipes in asked.items():
        cases = cases_of(placement, acts, window, is_bought_again).sampled(MOST_CASES)
        if len(cases) == 0:
            continue
        lists = lists_of_recipes(fitted, recipes, cases, fill)
        reports[placement] = placement_report(lists, cases, len(fill))
        values[placement] = {name: mean_of_each(main_values(each, cases), cases.person) for name, each in lists.items()}
    return reports, values


def _batches(cases: Cases) -> list[Cases]:
    return [cases.take(slice(start, start + BATCH)) for start in range(0, len(cases), BATCH)]


def _lists(recipe: Recipe | None, fitted: Fitted, cases: Cases, fill: Numbers) -> Items:
    nothing = sparse.csr_matrix(cases.truth.shape, dtype=np.float32)
    if recipe is not None and recipe.ranker is not None and fitted.ranked is not None:
        weights = fitted.ranked(recipe.ranker, cases.given, cases.person, cases.asked_at, cases.masked)
    else:
        weights = nothing if recipe is None else fitted.score(recipe, cases.given, cases.person, cases.masked)
    return lists_of(weights, fill, cases.masked, max(KS))
