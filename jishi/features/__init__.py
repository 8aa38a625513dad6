"""Features: one definition each, from which every engine's form follows."""

from jishi.features.definition import Feature, Where
from jishi.features.entity import ENTITY_COLUMN, ENTITY_KEYS
from jishi.features.refusal import NotComputable
from jishi.features.registry import FEATURES, live_views, operands, prior_operands, views

__all__ = [
    "ENTITY_COLUMN",
    "ENTITY_KEYS",
    "FEATURES",
    "Feature",
    "NotComputable",
    "Where",
    "live_views",
    "operands",
    "prior_operands",
    "views",
]
