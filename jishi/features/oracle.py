"""The oracle: every feature by brute force over the log, written to be obviously right, not to be fast.

Engines are compared with it. A value equal to the feature's default gives no row: outside the rows the default holds, and that
is all that a row could say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jishi.features.act import acts_of
from jishi.features.definition import Feature
from jishi.features.entity import entity_of
from jishi.features.event_log import outcomes_of
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


def good_acts(log: Sequence[dict[str, Any]], *, allowed_lateness_s: int, future_tolerance_s: int) -> list[Act]:
    """Acts of the good events, in the order of the log."""
    outcomes = outcomes_of(log, allowed_lateness_s=allowed_lateness_s, future_tolerance_s=future_tolerance_s)
    return [act for row, outcome in zip(log, outcomes, strict=True) if outcome is Outcome.GOOD for act in acts_of(row)]


def values(features: Sequence[Feature], acts: Sequence[Act], *, allowed_lateness_s: int) -> Iterator[Value]:
    """Every value of the features that is not the default. ``acts`` are in the order of the log."""
    by_name = {feature.name: feature for feature in features}
    for feature in features:
        if feature.is_running:
            yield from _running_values(feature, acts)
        else:
            yield from _window_values(feature, by_name, acts, allowed_lateness_s)


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
    first = (at_ms // slide_ms + 1) * slide_ms
    return range(first, at_ms + size_ms + 1, slide_ms)


def _window_values(
    feature: Feature, by_name: Mapping[str, Feature], acts: Sequence[Act], allowed_lateness_s: int
) -> Iterator[Value]:
    for (shop_id, entity_id), by_end in _by_window(feature, by_name, acts).items():
        for end_ms, value in by_end.items():
            if value != feature.default:
                as_of_ms = end_ms + allowed_lateness_s * 1000
                yield Value(feature.name, shop_id, entity_id, as_of_ms, value, as_of_ms + feature.slide * 1000)


def _by_window(feature: Feature, by_name: Mapping[str, Feature], acts: Sequence[Act]) -> dict[Key, dict[int, Any]]:
    """The value at the end of every window that holds an act, by key."""
    if feature.aggregation == "ratio":
        return _ratio(feature, by_name, acts)
    by_window: dict[Key, dict[int, Any]] = {}
    for key, taken in acts_by_key(feature, acts).items():
        in_time = sorted(taken, key=lambda act: act["occurred_at_ms"])
        times = [act["occurred_at_ms"] for act in in_time]
        ends = sorted({end_ms for at_ms in times for end_ms in window_ends(at_ms, feature)})
        by_window[key] = {}
        for end_ms in ends:
            inside = in_time[bisect_left(times, end_ms - feature.size * 1000) : bisect_left(times, end_ms)]
            by_window[key][end_ms] = aggregate(feature, inside, end_ms)
    return by_window


def _ratio(feature: Feature, by_name: Mapping[str, Feature], acts: Sequence[Act]) -> dict[Key, dict[int, Any]]:
    above = _by_window(by_name[feature.numerator or ""], by_name, acts)
    below = _by_window(by_name[feature.denominator or ""], by_name, acts)
    ratios: dict[Key, dict[int, Any]] = {}
    for key, divisors in below.items():
        ratios[key] = {
            end_ms: float(above.get(key, {}).get(end_ms, 0)) / float(divisor) if divisor else feature.default
            for end_ms, divisor in divisors.items()
        }
    return ratios


def aggregate(feature: Feature, inside: Sequence[Act], end_ms: int) -> Any:
    """The value of a feature over the acts inside one window that ends at ``end_ms``; its default where nothing is there."""
    if feature.aggregation == "count":
        return len(inside)
    if feature.aggregation == "seconds_since":
        last_ms = max((act["occurred_at_ms"] for act in inside), default=None)
        return feature.default if last_ms is None else (end_ms - last_ms) // 1000
    there = _column_values(feature, inside)
    if feature.aggregation == "distinct":
        return len(set(there))
    if feature.aggregation == "sum":
        return sum(there)
    if not there:
        return feature.default
    if feature.aggregation == "min":
        return min(there)
    if feature.aggregation == "max":
        return max(there)
    assert feature.aggregation == "mean"
    return float(sum(there)) / float(len(there))


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
