"""Matrix models by name, fresh and with default parameters.

It does not serve: it names what ``jishi evaluate interactions`` may fit; a release has ``models.algorithms.ladder``.
"""

from __future__ import annotations

from typing import Any

from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.popularity import Popularity
from models.algorithms.recommender import Recommender
from models.lab.chebyshev_filter import ChebyCF
from models.lab.ease import EASE
from models.lab.graph_filter import BSPM, GFCF
from models.lab.multinomial_factors import MultinomialFactors
from models.lab.slim import SLIM

MATRIX_MODELS: dict[str, type[Any]] = {
    model.name: model for model in (Popularity, ItemKNN, ALS, EASE, SLIM, GFCF, BSPM, ChebyCF, MultinomialFactors)
}


def make(name: str, parameters: dict[str, Any] | None = None) -> Recommender:
    """A model that knows nothing yet. Raises KeyError for a name that is not in ``MATRIX_MODELS``."""
    model: Recommender = MATRIX_MODELS[name](**(parameters or {}))
    return model
