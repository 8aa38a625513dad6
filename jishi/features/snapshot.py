"""The value of features at one instant, for every entity at once, by the oracle's own aggregation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jishi.features.decision import ratio_of
from jishi.features.definition import Feature
from jishi.features.oracle import Act, Key, acts_by_key, aggregate
from jishi.features.registry import FEATURES, operands, prior_operands


def snapshot(
    features: Sequence[Feature],
    acts: Iterable[Act],
    as_of_ms: int,
    *,
    allowed_lateness_s: int,
    declared: Sequence[Feature] = FEATURES,
) -> dict[str, dict[Key, Any]]:
    """Values that hold at ``as_of_ms`` by feature, shop and entity. Who is not there has the default, and of a smoothed ratio
    the shop's own, which ``priors`` gives.

    ``acts`` are good acts; those after the window do not count. Raises ValueError for a feature without a window.
    """
    kept = list(acts)
    counted = _counted([part for feature in features for part in _parts(feature, declared)], kept, as_of_ms, allowed_lateness_s)
    by_name = {}
    for feature in features:
        if feature.aggregation == "ratio":
            by_name[feature.name] = _ratios(feature, counted, declared)
        else:
            by_name[feature.name] = counted[feature.name]
    return by_name


def priors(
    features: Sequence[Feature],
    acts: Iterable[Act],
    as_of_ms: int,
    shop_id: str,
    *,
    allowed_lateness_s: int,
    declared: Sequence[Feature] = FEATURES,
) -> dict[str, float | None]:
    """What an item or person without any act has of each smoothed ratio among ``features``: the shop's ratio."""
    smoothed = [feature for feature in features if feature.prior]
    parts = [part for feature in smoothed for part in prior_operands(feature, declared)]
    counted = _counted(parts, list(acts), as_of_ms, allowed_lateness_s)
    of_shop = {name: by_key.get((shop_id, shop_id), 0) for name, by_key in counted.items()}
    return {
        feature.name: ratio_of(feature, 0, 0, *(of_shop[part.name] for part in prior_operands(feature, declared)))
        for feature in smoothed
    }


def _parts(feature: Feature, declared: Sequence[Feature]) -> tuple[Feature, ...]:
    return (*operands(feature, declared), *prior_operands(feature, declared))


def _counted(parts: Iterable[Feature], acts: list[Act], as_of_ms: int, allowed_lateness_s: int) -> dict[str, dict[Key, Any]]:
    by_name = {part.name: part for part in parts}
    return {name: _aggregated(part, acts, as_of_ms, allowed_lateness_s) for name, part in by_name.items()}


def _ratios(feature: Feature, counted: dict[str, dict[Key, Any]], declared: Sequence[Feature]) -> dict[Key, Any]:
    above, below = (counted[part.name] for part in operands(feature, declared))
    of_shop = [counted[part.name] for part in prior_operands(feature, declared)]
    return {
        key: ratio_of(feature, above.get(key, 0), below.get(key, 0), *(by_key.get((key[0], key[0]), 0) for by_key in of_shop))
        for key in {**above, **below}
    }


def _aggregated(feature: Feature, acts: list[Act], as_of_ms: int, allowed_lateness_s: int) -> dict[Key, Any]:
    slide_ms = feature.slide * 1000
    end_ms = (as_of_ms - allowed_lateness_s * 1000) // slide_ms * slide_ms - feature.offset_s * 1000
    start_ms = end_ms - feature.size * 1000
    inside = [act for act in acts if start_ms <= act["occurred_at_ms"] < end_ms]
    return {key: aggregate(feature, taken) for key, taken in acts_by_key(feature, inside).items()}
