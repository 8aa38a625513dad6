"""The value of window features at one instant, for every entity at once, by the oracle's own aggregation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jishi.features.definition import Feature
from jishi.features.oracle import Act, Key, acts_by_key, aggregate
from jishi.features.registry import FEATURES, operands


def snapshot(
    features: Sequence[Feature],
    acts: Iterable[Act],
    as_of_ms: int,
    *,
    allowed_lateness_s: int,
    declared: Sequence[Feature] = FEATURES,
) -> dict[str, dict[Key, Any]]:
    """Values that hold at ``as_of_ms`` by feature, shop and entity; who is not there has the default.

    ``acts`` are good acts; those after the window do not count. Raises ValueError for a feature without a window.
    """
    parts = {part.name: part for feature in features for part in operands(feature, declared)}
    kept = list(acts)
    by_name = {name: _aggregated(part, kept, as_of_ms, allowed_lateness_s) for name, part in parts.items()}
    for feature in features:
        if feature.aggregation == "ratio":
            above, below = by_name[feature.numerator or ""], by_name[feature.denominator or ""]
            by_name[feature.name] = {
                key: float(above.get(key, 0)) / float(divisor) if divisor else feature.default for key, divisor in below.items()
            }
    return {feature.name: by_name[feature.name] for feature in features}


def _aggregated(feature: Feature, acts: list[Act], as_of_ms: int, allowed_lateness_s: int) -> dict[Key, Any]:
    slide_ms = feature.slide * 1000
    end_ms = (as_of_ms - allowed_lateness_s * 1000) // slide_ms * slide_ms
    start_ms = end_ms - feature.size * 1000
    inside = [act for act in acts if start_ms <= act["occurred_at_ms"] < end_ms]
    return {key: aggregate(feature, taken, end_ms) for key, taken in acts_by_key(feature, inside).items()}
