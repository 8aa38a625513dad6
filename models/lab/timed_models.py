"""Timed models by name, fresh and with default parameters.

It does not serve: only the sources of the ranker on features make timed models by name.
"""

from __future__ import annotations

from typing import Any

from models.algorithms.buy_again import BuyAgain
from models.algorithms.timed_model import TimedModel
from models.algorithms.trending import Trending
from models.algorithms.windowed_popularity import WindowedPopularity
from models.lab.new_and_on_sale import New, OnSale
from models.lab.segment_popularity import SegmentPopularity

TIMED_MODELS: dict[str, type[Any]] = {
    model.name: model for model in (WindowedPopularity, SegmentPopularity, Trending, New, OnSale, BuyAgain)
}


def make_timed(name: str, parameters: dict[str, Any] | None = None) -> TimedModel:
    """A model that knows nothing yet. Raises KeyError for a name that is not in ``TIMED_MODELS``."""
    model: TimedModel = TIMED_MODELS[name](**(parameters or {}))
    return model
