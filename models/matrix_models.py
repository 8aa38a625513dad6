"""Matrix models by name, fresh and with default parameters."""

from __future__ import annotations

from typing import Any

from models.als import ALS
from models.chebyshev_filter import ChebyCF
from models.ease import EASE
from models.graph_filter import BSPM, GFCF
from models.item_knn import ItemKNN
from models.multinomial_factors import MultinomialFactors
from models.popularity import Popularity
from models.recommender import Recommender
from models.slim import SLIM

MATRIX_MODELS: dict[str, type[Any]] = {
    model.name: model for model in (Popularity, ItemKNN, ALS, EASE, SLIM, GFCF, BSPM, ChebyCF, MultinomialFactors)
}


def make(name: str, parameters: dict[str, Any] | None = None) -> Recommender:
    """A model that knows nothing yet. Raises KeyError for a name that is not in ``MATRIX_MODELS``."""
    model: Recommender = MATRIX_MODELS[name](**(parameters or {}))
    return model
