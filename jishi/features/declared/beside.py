"""What a feature of a person needs beside it so that two ids of the person make one value."""

from __future__ import annotations

from dataclasses import replace

from jishi.features.definition import Feature, Where
from jishi.features.refusal import KNOWN_AT


def with_values(feature: Feature) -> tuple[Feature, Feature]:
    """A ``distinct`` and the values that it counts."""
    values = replace(
        feature,
        name=f"{feature.name}_values",
        meaning=f"The different values that {feature.name} counts, sorted.",
        aggregation="values",
        default=(),
    )
    return feature, values


def with_times(feature: Feature) -> tuple[Feature, Feature]:
    """A ``last_n`` and when each of its entries became known."""
    assert feature.column is not None  # checked by the declaration
    times = replace(
        feature,
        name=f"{feature.name}_known_ms",
        meaning=f"When each entry of {feature.name} became known, in the same order; epoch milliseconds.",
        column=KNOWN_AT,
        where=(Where(feature.column), *feature.where),
        times_of=feature.name,
    )
    return feature, times
