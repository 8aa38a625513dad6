"""The oracle: every feature by brute force over the log, written to be obviously right, not to be fast.

Engines are compared with it. A value equal to the feature's default gives no row: outside the rows the default holds, and that
is all that a row could say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from jishi.features.act import acts_of
from jishi.features.decision import ratio_of, unique
from jishi.features.definition import Feature
from jishi.features.entity import entity_of
from jishi.features.event_log import outcomes_of
from jishi.features.registry import operands, prior_operands
from jishi.features.zones import NO_ZONES, Zones
from jishi.money import capped
from jishi.outcomes import Outcome

Act = dict[str, Any]
Key = tuple[str, str]


class Value(NamedTuple):
    """A value that a feature has from ``as_of_ms`` on, until ``valid_until_ms`` or, where that is None, until the next one."""

    feature: str
    shop_id: str
    entity_id: str
    as_of_ms: int
    value: Any
    valid_until_ms: int | None


def good_acts(
    log: Sequence[dict[str, Any]], *, allowed_lateness_s: int, future_tolerance_s: int, zones: Zones = NO_ZONES
) -> list[Act]:
    """Acts of the good events, in the order of the log."""
    outcomes = outcomes_of(log, allowed_lateness_s=allowed_lateness_s, future_tolerance_s=future_tolerance_s)
    return [act for row, outcome in zip(log, outcomes, strict=True) if outcome is Outcome.GOOD for act in acts_of(row, zones)]


def values(features: Sequence[Feature], acts: Sequence[Act], *, allowed_lateness_s: int) -> Iterator[Value]:
    """Every value of the features that is not the default. ``acts`` are in the order of the log.

    Of derived features there are ratios, where the entity has any of the dividend or divisor, and unique lists; an age has
    another value at every instant. ``features`` hold what derived ones are made of.
    """
    for feature in features:
        if feature.aggregation == "ratio":
            yield from _ratio_values(feature, features, acts, allowed_lateness_s)
        elif feature.aggregation == "unique":
            [entries] = operands(feature, features)
            yield from (
                value._replace(feature=feature.name, value=unique(value.value)) for value in _running_values(entries, acts)
            )
        elif feature.is_running:
            yield from _running_values(feature, acts)
        elif not feature.is_derived:
            yield from _window_values(feature, acts, allowed_lateness_s)


def acts_by_key(feature: Feature, acts: Iterable[Act]) -> dict[Key, list[Act]]:
    """The acts that a feature takes, by shop and entity, in the order given."""
    by_key: dict[Key, list[Act]] = {}
    for act in acts:
        entity_id = entity_of(feature.entity, act)
        if entity_id is not None and feature.takes(act):
            by_key.setdefault((act["shop_id"], entity_id), []).append(act)
    return by_key


def window_ends(at_ms: int, feature: Feature) -> range:
    """The ends of all windows ``[end − size, end)`` that hold the instant, in epoch milliseconds."""
    size_ms, slide_ms = feature.size * 1000, feature.slide * 1000
    moved_ms = at_ms + feature.offset_s * 1000
    first = (moved_ms // slide_ms + 1) * slide_ms
    return range(first, moved_ms + size_ms + 1, slide_ms)


def _window_values(feature: Feature, acts: Sequence[Act], allowed_lateness_s: int) -> Iterator[Value]:
    for (shop_id, entity_id), by_end in _by_window(feature, acts).items():
        for end_ms, value in by_end.items():
            if value != feature.default:
                as_of_ms = end_ms + allowed_lateness_s * 1000
                yield Value(feature.name, shop_id, entity_id, as_of_ms, value, as_of_ms + feature.slide * 1000)


def _by_window(feature: Feature, acts: Sequence[Act]) -> dict[Key, dict[int, Any]]:
    """The value at the end of every window that holds an act, by key."""
    by_window: dict[Key, dict[int, Any]] = {}
    for key, taken in acts_by_key(feature, acts).items():
        in_time = sorted(taken, key=lambda act: act["occurred_at_ms"])
        times = [act["occurred_at_ms"] for act in in_time]
        ends = sorted({end_ms for at_ms in times for end_ms in window_ends(at_ms, feature)})
        by_window[key] = {}
        for end_ms in ends:
            until_ms = end_ms - feature.offset_s * 1000
            inside = in_time[bisect_left(times, until_ms - feature.size * 1000) : bisect_left(times, until_ms)]
            by_window[key][end_ms] = aggregate(feature, inside)
    return by_window


def _ratio_values(
    feature: Feature, features: Sequence[Feature], acts: Sequence[Act], allowed_lateness_s: int
) -> Iterator[Value]:
    above, below = (_by_window(part, acts) for part in operands(feature, features))
    priors = [_by_window(part, acts) for part in prior_operands(feature, features)]
    for key in sorted({*above, *below}):
        for end_ms in sorted({*above.get(key, {}), *below.get(key, {})}):
            counts = [of_key.get(key, {}).get(end_ms, 0) for of_key in (above, below)]
            of_shop = [by_shop.get((key[0], key[0]), {}).get(end_ms, 0) for by_shop in priors]
            value = ratio_of(feature, *counts, *of_shop) if any(counts) else None
            if value is not None:
                as_of_ms = end_ms + allowed_lateness_s * 1000
                yield Value(feature.name, *key, as_of_ms, value, as_of_ms + feature.slide * 1000)


def aggregate(feature: Feature, inside: Sequence[Act]) -> Any:
    """The value of a feature over the acts inside one window; its default where nothing is there."""
    if feature.aggregation == "count":
        return len(inside)
    there = _column_values(feature, inside)
    if feature.aggregation == "distinct":
        return len(set(there))
    if feature.aggregation == "values":
        return sorted(set(there)) or feature.default
    if feature.aggregation == "sum":
        return capped(sum(there))
    if not there:
        return feature.default
    if feature.aggregation == "min":
        return min(there)
    if feature.aggregation == "max":
        return max(there)
    assert feature.aggregation == "mean"
    return float(capped(sum(there))) / float(len(there))


def _running_values(feature: Feature, acts: Sequence[Act]) -> Iterator[Value]:
    for (shop_id, entity_id), taken in acts_by_key(feature, acts).items():
        # Of several events known in the same millisecond, the value after the last of them stays.
        for as_of_ms, value in dict(running_steps(feature, taken)).items():
            if value != feature.default:
                yield Value(feature.name, shop_id, entity_id, as_of_ms, value, None)


def running_steps(feature: Feature, taken: Sequence[Act]) -> Iterator[tuple[int, Any]]:
    """Each value that a running feature of one entity has had, with the instant (epoch ms) from which on it was known."""
    # An act without a value in the column changes nothing, so that it gives no step either.
    telling = [act for act in taken if feature.column is None or _column_values(feature, [act])]
    for position, act in enumerate(telling):
        yield act["received_at_ms"], running_value(feature, telling[: position + 1])


def running_value(feature: Feature, known: Sequence[Act]) -> Any:
    """The value of a running feature after the acts ``known`` so far."""
    if feature.aggregation == "first_seen":
        return min(act["occurred_at_ms"] for act in known)
    there = _column_values(feature, known)
    if not there:
        return feature.default
    if feature.aggregation == "last":
        return there[-1]
    assert feature.aggregation == "last_n"
    assert feature.n is not None
    return there[::-1][: feature.n]


def _column_values(feature: Feature, acts: Iterable[Act]) -> list[Any]:
    """What the acts say in the feature's column, those that say nothing left out."""
    assert feature.column is not None  # checked by the declaration
    return [act[feature.column] for act in acts if act[feature.column] is not None]
