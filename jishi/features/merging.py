"""How the values of two ids of one person become the person's: each event counts for one id, so nothing counts twice.

A storefront knows a user after login and a device all the time; what the device did before the login lies under the device's id
(``jishi.identity``). Whoever reads for a person reads both rows of a view and merges them here; oracle, Spark and Flink need to
know nothing of it.

| aggregation | of two ids |
|---|---|
| ``count``, ``sum`` | added |
| ``min``, ``first_seen`` | the smaller one |
| ``max`` | the larger one |
| ``values`` | the union |
| ``distinct`` | how many there are in the union of ``<name>_values`` |
| ``last_n`` | by ``<name>_known_ms``, newest first; of two of one millisecond the first id's |
| ``last`` | the one known last; of two of one millisecond the first id's |

Derived features (``jishi.features.decision``) are made of merged ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jishi.features.definition import Feature
from jishi.money import capped

# Values of one id by feature, without those that are not there or no longer hold.
Values = Mapping[str, Any]


def merge(feature: Feature, ids: Sequence[Values], known_ms: Sequence[int | None]) -> Any:
    """The person's value from the values of each of its ids, user first.

    ``ids`` hold the feature itself and what its rule needs beside it; ``known_ms`` is, by id, the time of the feature's own
    value (epoch ms), which ``last`` goes by. Raises KeyError when a ``last_n`` comes without its times.
    """
    return _MERGES[feature.aggregation](feature, ids, known_ms)


def _there(feature: Feature, ids: Sequence[Values]) -> list[Any]:
    return [values[feature.name] for values in ids if values.get(feature.name, feature.default) != feature.default]


def _extreme(choose: Callable[[list[Any]], Any]) -> _Merge:
    def merged(feature: Feature, ids: Sequence[Values], *_: Any) -> Any:
        there = _there(feature, ids)
        return choose(there) if there else feature.default

    return merged


def _added(feature: Feature, ids: Sequence[Values], *_: Any) -> Any:
    return capped(sum(values.get(feature.name, 0) for values in ids))


def _union(name: str, ids: Sequence[Values]) -> list[Any]:
    return sorted({value for values in ids for value in values.get(name, ())})


def _values(feature: Feature, ids: Sequence[Values], *_: Any) -> Any:
    return _union(feature.name, ids) or feature.default


def _distinct(feature: Feature, ids: Sequence[Values], *_: Any) -> Any:
    return len(_union(f"{feature.name}_values", ids))


def _last_n(feature: Feature, ids: Sequence[Values], *_: Any) -> Any:
    times = feature.name if feature.times_of else f"{feature.name}_known_ms"
    timed = [
        (known_ms, entry)
        for values in ids
        if values.get(feature.name)
        for known_ms, entry in zip(values[times], values[feature.name], strict=True)
    ]
    timed.sort(key=lambda pair: -pair[0])  # stable: of one millisecond the first id's stay first, each id's in its order
    return [entry for _, entry in timed[: feature.n]] or feature.default


def _last(feature: Feature, ids: Sequence[Values], known_ms: Sequence[int | None]) -> Any:
    there = [
        (at_ms, -place, values[feature.name])
        for place, (values, at_ms) in enumerate(zip(ids, known_ms, strict=True))
        if at_ms is not None and values.get(feature.name, feature.default) != feature.default
    ]
    return max(there)[2] if there else feature.default


_Merge = Callable[[Feature, Sequence[Values], Sequence[int | None]], Any]
_MERGES: dict[str, _Merge] = {
    "count": _added,
    "sum": _added,
    "min": _extreme(min),
    "first_seen": _extreme(min),
    "max": _extreme(max),
    "values": _values,
    "distinct": _distinct,
    "last_n": _last_n,
    "last": _last,
}
