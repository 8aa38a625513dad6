"""The models of the ladder, which answer where no model of a placement does: by name, fresh or fitted."""

from __future__ import annotations

from typing import Any

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.popularity import Popularity
from models.algorithms.recommender import Recommender

Parameters = dict[str, dict[str, Any]]
LADDER: dict[str, type[Recommender]] = {"popularity": Popularity, "item_knn": ItemKNN, "als": ALS}  # baseline first


def make_model(name: str, parameters: dict[str, Any]) -> Recommender:
    """A fresh model by name."""
    return LADDER[name](**parameters)


def make_models(parameters: Parameters) -> dict[str, Recommender]:
    """Fresh models of the ladder by name, baseline first."""
    return {name: make_model(name, parameters[name]) for name in LADDER}


def parameters_of(model: Recommender) -> dict[str, Any]:
    """What a model was made with."""
    return {name: value for name, value in sorted(vars(model).items()) if not name.endswith("_")}
