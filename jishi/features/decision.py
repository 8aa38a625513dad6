"""Values at a decision: the one place where training and serving turn what is stored into what a model reads.

Stored are integers, instants and lists, as they held at the decision: by each id of a person (``jishi.features.merging``), and
of the shop. Derived from them are

- **ratios**, smoothed towards the shop's own: ``prior_weight`` more of the denominator as good as the shop's average. An item
  or person without any has the shop's ratio, never 0; where the shop has none either the ratio is unknown (None). Integers
  until one last division of doubles, so that all engines agree to the bit;
- **ages** in whole seconds up to the decision;
- **unique** lists, in which each entry stands where it was newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jishi.features.definition import Feature
from jishi.features.merging import merge
from jishi.features.registry import FEATURES, operands, prior_operands

# Values of one id that hold at the decision, by feature; what is not there has its default.
Stored = Mapping[str, Any]
NOTHING: Stored = {}


def value_at(
    feature: Feature,
    ids: Sequence[Stored],
    at_ms: int,
    *,
    shop: Stored = NOTHING,
    known_ms: Mapping[str, Sequence[int | None]] = NOTHING,
    declared: Sequence[Feature] = FEATURES,
) -> Any:
    """The value of a feature at the instant ``at_ms`` (epoch ms) from the stored values of each id of the entity.

    ``shop`` are the stored values of the shop, which priors need; ``known_ms`` has, by ``last`` feature, the time of each id's
    own value, which decides between two ids.
    """
    parts = [merged(part, ids, known_ms=known_ms.get(part.name, [None] * len(ids))) for part in operands(feature, declared)]
    if feature.aggregation == "ratio":
        prior = [shop.get(part.name, part.default) for part in prior_operands(feature, declared)]
        return ratio_of(feature, *parts, *prior)
    if feature.aggregation == "age":
        return age_s(parts[0], at_ms)
    if feature.aggregation == "unique":
        return unique(parts[0]) or feature.default
    return parts[0]


def merged(
    feature: Feature,
    ids: Sequence[Stored],
    *,
    known_ms: Sequence[int | None],
) -> Any:
    """The value of a stored feature from those of each id; of one id its own."""
    if len(ids) == 1:
        value = ids[0].get(feature.name)
        return feature.default if value is None else value
    return merge(feature, ids, known_ms)


def ratio_of(feature: Feature, above: int, below: int, prior_above: int = 0, prior_below: int = 0) -> float | None:
    """The value of a ratio from what it and its prior divide; None where that is unknown.

    A share is 1 at most, its prior too. Refunds are counted as reported, for a stream that only appends cannot take back what
    an order that comes later does not cover; so one refund of a million units must not make every item of the shop look bad.
    """
    if feature.is_share:
        prior_above = min(prior_above, prior_below)
    value = ratio(above, below, prior_above, prior_below, weight=feature.prior_weight)
    return min(1.0, value) if feature.is_share and value is not None else value


def ratio(above: int, below: int, prior_above: int = 0, prior_below: int = 0, *, weight: int = 0) -> float | None:
    """``above / below``, smoothed by ``weight`` more of the denominator at the prior's ratio; None where that is unknown.

    >>> ratio(3, 4), ratio(3, 4, 1, 10, weight=20), ratio(0, 0, 1, 10, weight=20), ratio(0, 0)
    (0.75, 0.20833333333333334, 0.1, None)
    """
    if not weight:
        return float(above) / float(below) if below else None
    if not prior_below:
        return None
    return float(above * prior_below + weight * prior_above) / float((below + weight) * prior_below)


def age_s(since_ms: int | None, at_ms: int) -> int | None:
    """Whole seconds from an instant to the decision; None without an instant, 0 for one that a fast clock put after it."""
    return None if since_ms is None else max(0, at_ms - since_ms) // 1000


def unique(entries: Iterable[Any]) -> list[Any]:
    """The different entries, each at its first place."""
    return list(dict.fromkeys(entries))
