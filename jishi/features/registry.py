"""Every feature, and the views in which they travel."""

from __future__ import annotations

from collections.abc import Iterable

from jishi.features.declared.item import ITEM
from jishi.features.declared.person import PERSON
from jishi.features.declared.person_month import PERSON_MONTH
from jishi.features.declared.shop import PERSON_CATEGORY, PRIORS, SHOP
from jishi.features.declared.social import SOCIAL
from jishi.features.definition import Feature
from jishi.features.refusal import refuse_together

FEATURES: tuple[Feature, ...] = (*PERSON, *PERSON_MONTH, *ITEM, *SHOP, *PRIORS, *PERSON_CATEGORY, *SOCIAL)
refuse_together(FEATURES)


def views(features: Iterable[Feature] = FEATURES) -> dict[str, tuple[Feature, ...]]:
    """Stored features by view, in the order of declaration."""
    grouped: dict[str, list[Feature]] = {}
    for feature in features:
        if not feature.is_derived:
            grouped.setdefault(feature.view, []).append(feature)
    return {name: tuple(members) for name, members in grouped.items()}


def operands(feature: Feature, declared: Iterable[Feature] = FEATURES) -> tuple[Feature, ...]:
    """The stored features of its entity that a feature's value is made of: the feature itself unless it is derived."""
    if not feature.is_derived:
        return (feature,)
    by_name = {other.name: other for other in declared}
    names = (feature.numerator, feature.denominator) if feature.aggregation == "ratio" else (feature.source,)
    return tuple(by_name[name or ""] for name in names)


def prior_operands(feature: Feature, declared: Iterable[Feature] = FEATURES) -> tuple[Feature, ...]:
    """The shop's features that a smoothed ratio is made of, dividend and divisor; none for any other feature."""
    if feature.prior is None:
        return ()
    every = tuple(declared)
    return operands(next(other for other in every if other.name == feature.prior), every)


def live_views() -> dict[str, tuple[Feature, ...]]:
    """Views of the real-time job, with the features that it computes."""
    return views(feature for feature in FEATURES if feature.is_live)
