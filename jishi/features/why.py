"""Why a value is what it is: the acts behind it, found as the oracle finds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jishi.features.decision import value_at
from jishi.features.definition import Feature
from jishi.features.entity import ENTITY_KEYS, entity_of
from jishi.features.oracle import Act, values
from jishi.features.registry import FEATURES, operands, prior_operands
from jishi.identity import DEVICE, USER

_PERSONS = {"user": USER, "device": DEVICE}


class UnknownFeature(LookupError):
    """No feature or entity has this name; the message lists what there is."""


@dataclass(frozen=True)
class FeatureReason:
    """The value of one feature at one instant, the window that it comes from (epoch ms, None for a running feature), and the
    acts in it that count, in the order of the log.
    """

    feature: Feature
    entity_id: str
    value: Any
    window: tuple[int, int] | None
    valid_until_ms: int | None
    acts: list[Act]


def named_feature(entity: str, name: str, declared: Iterable[Feature] = FEATURES) -> Feature:
    """A feature by its name, with or without its entity in front (``views_1h`` of a ``person`` is ``person_views_1h``).

    Raises UnknownFeature.
    """
    known = [feature for feature in declared if feature.entity == entity]
    for feature in known:
        if feature.name in (name, f"{entity}_{name}"):
            return feature
    raise UnknownFeature(f"no feature {name!r} of a {entity}; there are {', '.join(feature.name for feature in known)}")


def named_entity(text: str) -> tuple[str, str]:
    """Entity and id from ``item:i7`` or ``person:u:1``; ``user:1`` and ``device:d`` are persons. Raises UnknownFeature."""
    kind, colon, identity = text.partition(":")
    entity = "person" if kind in _PERSONS else kind
    if kind in _PERSONS and identity:
        identity = _PERSONS[kind] + identity
    if entity not in ENTITY_KEYS or not colon or not identity:
        raise UnknownFeature(f"{text!r} is no entity; write one of {', '.join(ENTITY_KEYS)}, a colon and its id")
    return entity, identity


def reason(
    feature: Feature,
    entity_id: str,
    as_of_ms: int,
    acts: Sequence[Act],
    *,
    allowed_lateness_s: int,
    declared: Sequence[Feature] = FEATURES,
) -> FeatureReason:
    """Why the feature has its value at ``as_of_ms``; ``acts`` are good acts of one shop, in the order of the log."""
    parts = operands(feature, declared)
    stored = {part.name: _held(part, entity_id, as_of_ms, acts, allowed_lateness_s) for part in parts}
    of_shop = {
        part.name: _held(part, acts[0]["shop_id"], as_of_ms, acts, allowed_lateness_s).value
        for part in (prior_operands(feature, declared) if acts else ())
    }
    held = {name: holding.value for name, holding in stored.items()}
    value = value_at(feature, [held], as_of_ms, shop=of_shop, declared=declared)
    until = None if feature.is_derived else stored[feature.name].until_ms
    entity_acts = [
        act for act in acts if entity_of(feature.entity, act) == entity_id and any(part.takes(act) for part in parts)
    ]
    if parts[0].is_running:
        return FeatureReason(feature, entity_id, value, None, until, _behind_running(parts[0], entity_acts, as_of_ms))
    slide_ms = feature.slide * 1000
    end_ms = (as_of_ms - allowed_lateness_s * 1000) // slide_ms * slide_ms
    window = (end_ms - feature.size * 1000, end_ms)
    if not feature.is_derived:
        window = (window[0] - feature.offset_s * 1000, window[1] - feature.offset_s * 1000)
    inside = [act for act in entity_acts if any(part.takes(act) and _is_inside(part, act, end_ms) for part in parts)]
    return FeatureReason(feature, entity_id, value, window, until, inside)


class _Holding(NamedTuple):
    value: Any
    until_ms: int | None


def _held(part: Feature, entity_id: str, as_of_ms: int, acts: Sequence[Act], allowed_lateness_s: int) -> _Holding:
    """The value of a stored feature of one entity that holds at an instant."""
    mine = [act for act in acts if entity_of(part.entity, act) == entity_id and part.takes(act)]
    holding = [
        value
        for value in values([part], mine, allowed_lateness_s=allowed_lateness_s)
        if value.as_of_ms <= as_of_ms and (value.valid_until_ms is None or as_of_ms < value.valid_until_ms)
    ]
    newest = max(holding, key=lambda value: value.as_of_ms, default=None)
    return _Holding(newest.value, newest.valid_until_ms) if newest else _Holding(part.default, None)


def _is_inside(part: Feature, act: Act, end_ms: int) -> bool:
    until_ms = end_ms - part.offset_s * 1000
    return bool(until_ms - part.size * 1000 <= act["occurred_at_ms"] < until_ms)


def _behind_running(feature: Feature, entity_acts: Sequence[Act], as_of_ms: int) -> list[Act]:
    known = [act for act in entity_acts if act["received_at_ms"] <= as_of_ms]
    if feature.aggregation == "first_seen":
        return [min(known, key=lambda act: act["occurred_at_ms"])] if known else []
    telling = [act for act in known if act[feature.column or ""] is not None]
    return telling[-(feature.n or 1) :]
