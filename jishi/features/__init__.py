"""Real-time features: one definition each."""

from jishi.features.definition import ENTITY_COLUMN, Feature
from jishi.features.registry import FEATURES, views

__all__ = ["ENTITY_COLUMN", "FEATURES", "Feature", "views"]
