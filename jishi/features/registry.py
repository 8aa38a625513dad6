"""Every feature, and the views in which they travel."""

from __future__ import annotations

from collections.abc import Iterable

from jishi.features.declared.item import ITEM
from jishi.features.declared.person import PERSON
from jishi.features.declared.shop import PERSON_CATEGORY, SHOP
from jishi.features.declared.social import SOCIAL
from jishi.features.definition import Feature
from jishi.features.refusal import refuse_together

FEATURES: tuple[Feature, ...] = (*PERSON, *ITEM, *SHOP, *PERSON_CATEGORY, *SOCIAL)
refuse_together(FEATURES)


def views(features: Iterable[Feature] = FEATURES) -> dict[str, tuple[Feature, ...]]:
    """Features by view, in the order of declaration."""
    grouped: dict[str, list[Feature]] = {}
    for feature in features:
        grouped.setdefault(feature.view, []).append(feature)
    return {name: tuple(members) for name, members in grouped.items()}


def operands(feature: Feature, declared: Iterable[Feature] = FEATURES) -> tuple[Feature, ...]:
    """The features whose aggregates a feature's value is made of: dividend and divisor of a ratio, else the feature itself."""
    if feature.aggregation != "ratio":
        return (feature,)
    by_name = {other.name: other for other in declared}
    return (by_name[feature.numerator or ""], by_name[feature.denominator or ""])


def live_views() -> dict[str, tuple[Feature, ...]]:
    """Views of the real-time job, with the features that it computes."""
    return views(feature for feature in FEATURES if feature.is_live)
