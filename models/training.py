"""Fit everything that a candidate holds on one part of a shop's acts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from models.als import ALS
from models.interactions import Interactions
from models.item_knn import ItemKNN
from models.placements import repurchase
from models.placements.ranked import ListRanker
from models.placements.recipes import Recipe, fit
from models.placements.stored import states_of
from models.placements.training_set import TrainingSet
from models.recommender import Recommender, State
from models.tuning import GRID, Parameters, make_model


def make_models(parameters: Parameters) -> dict[str, Recommender]:
    """Fresh models of the ladder by name, baseline first."""
    return {name: make_model(name, parameters[name]) for name in GRID}


def parameters_of(model: Recommender) -> dict[str, Any]:
    """What a model was made with."""
    return {name: value for name, value in sorted(vars(model).items()) if not name.endswith("_")}


def matrix_models(acts: Interactions, parameters: Parameters) -> tuple[ItemKNN, ALS]:
    """Item-kNN and ALS, fitted."""
    histories, sales = acts.matrix(), acts.sales()
    item_knn, als = (make_model(name, parameters[name]).fit(histories, sales) for name in ("item_knn", "als"))
    assert isinstance(item_knn, ItemKNN)
    assert isinstance(als, ALS)
    return item_knn, als


def fit_part(
    acts: Interactions, as_of: np.datetime64, parameters: Parameters, recipes: Iterable[Recipe], ranker: ListRanker | None
) -> tuple[dict[str, State], TrainingSet]:
    """Arrays of the ladder's models and of all that the recipes need, and what they learnt from."""
    item_knn, als = matrix_models(acts, parameters)
    popularity = make_model("popularity", parameters["popularity"]).fit(acts.matrix(), acts.sales())
    training_set = TrainingSet.of(acts, as_of, item_knn, als)
    states = {"popularity": popularity.state(), "item_knn": item_knn.state()}
    states["als"] = als.state() | {"person_factors": training_set.person_factors}
    states[repurchase.FILE] = repurchase.repurchase_chances(training_set)
    return states | states_of(fit(training_set, recipes, ranker)), training_set


def after(acts: Interactions) -> np.datetime64:
    """The first instant at which all of it is past."""
    newest = max(acts.occurred_at.max(), acts.received_at.max())
    return np.datetime64(newest) + np.timedelta64(1, "us")
