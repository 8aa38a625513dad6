"""Which declarations are refused, and the reason: each rule here is something on which two engines would differ."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from jishi.features.act import ACT_KINDS, COLUMNS, LOCAL
from jishi.features.declaration import Declaration
from jishi.features.entity import ENTITY_KEYS

# Columns that a view has beside its features, and words that an engine keeps for itself.
RESERVED = frozenset({"shop_id", "entity_id", "view", "as_of_ms", "valid_until_ms", "log_offset", "event_timestamp", *COLUMNS})
# Aggregations that give an integer which a ratio may divide.
DIVISIBLE = frozenset({"count", "sum", "distinct"})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
_MOST_DAYS = 90
_MOST_LAST = 100
KNOWN_AT = "received_at_ms"  # of an act: when it became known
_NEEDS_INTEGER = frozenset({"sum", "min", "max", "mean"})
_NEEDS_COLUMN = _NEEDS_INTEGER | {"distinct", "values", "last", "last_n"}
_TEXT = re.compile(r"[\w .:/-]*")


class NotComputable(ValueError):
    """A declaration that not every engine could compute to the same value; the message names the feature and says why."""


def refuse(feature: Declaration) -> None:
    """Raise NotComputable when the declaration by itself cannot be computed exactly everywhere."""
    for rule in (_name, _acts, _column, _window, _default):
        if reason := rule(feature):
            raise NotComputable(f"feature {feature.name}: {reason}")


def refuse_together(features: Sequence[Declaration]) -> None:
    """Raise NotComputable when declarations do not fit each other: equal names, parts that are not there, shared views."""
    by_name: dict[str, Declaration] = {}
    for feature in features:
        if feature.name in by_name:
            raise NotComputable(f"feature {feature.name}: is declared twice")
        by_name[feature.name] = feature
    running_views: dict[str, str] = {}
    first_of_view: dict[str, Declaration] = {}
    for feature in features:
        reason = None
        if feature.is_derived:
            reason = _ratio(feature, by_name) if feature.aggregation == "ratio" else _derived(feature, by_name)
            if reason:
                raise NotComputable(f"feature {feature.name}: {reason}")
            continue
        if feature.is_running:
            other = running_views.setdefault(feature.view, feature.name)
            if feature.times_of:
                reason = _times(feature, by_name)
            elif other != feature.name:
                reason = (
                    f"a running feature changes with its own events and needs a view of its own; {other} has {feature.view}"
                )
        reason = reason or _merging(feature, by_name)
        first = first_of_view.setdefault(feature.view, feature)
        if first.is_live != feature.is_live:
            reason = f"is_live differs from {first.name}, with which it shares the messages of {feature.view}"
        if reason:
            raise NotComputable(f"feature {feature.name}: {reason}")


def _name(feature: Declaration) -> str | None:
    if not _NAME.fullmatch(feature.name) or feature.name in RESERVED or feature.name.endswith("__part"):
        return "the name must be lower case letters, digits and _, begin with a letter, and not be a column of every view"
    if feature.entity not in ENTITY_KEYS:
        return f"entity {feature.entity!r} is not one of {', '.join(ENTITY_KEYS)}"
    return None if feature.meaning.endswith(".") else "the meaning must be a sentence that ends with a full stop"


def _acts(feature: Declaration) -> str | None:
    if feature.is_derived:
        named = "two features" if feature.aggregation == "ratio" else "its source"
        article = "a" if feature.aggregation == "ratio" else "an"
        return f"{article} {feature.aggregation} takes no acts, it names {named}" if feature.acts or feature.where else None
    if feature.prior or feature.prior_weight or feature.source or feature.is_share:
        return "prior, prior_weight, is_share and source belong to derived features"
    if not feature.acts:
        return "acts are missing; name the kinds that count"
    if len(set(feature.acts)) != len(feature.acts):
        return "a kind of act is named twice"
    for name in feature.acts:
        kind = ACT_KINDS.get(name)
        if kind is None:
            return f"there are no acts {name!r}; the kinds are {', '.join(ACT_KINDS)}"
        for key in ENTITY_KEYS[feature.entity]:
            if not kind.carries(key):
                return f"{name} carries no {key}, so it is never about a {feature.entity}"
        for condition in feature.where:
            if not kind.carries(condition.column):
                return f"{name} carries no {condition.column}, so the condition on it is never met"
        if feature.is_running and not kind.is_whole_event:
            return (
                f"{name} is a part of {kind.event_type}, and parts share their event's place in the log: "
                "engines would differ on which came last; take whole events"
            )
    return _where(feature)


def _where(feature: Declaration) -> str | None:
    for condition in feature.where:
        kind = COLUMNS[condition.column]
        if condition.at_least is not None and kind != "int64":
            return f"{condition.column} is text, whose order depends on an engine's collation; at_least needs an integer column"
        wanted = int if kind == "int64" else str
        if condition.one_of is not None and not all(type(value) is wanted for value in condition.one_of):
            return f"the values of {condition.column} must be {kind}"
        if any(isinstance(value, str) and not _TEXT.fullmatch(value) for value in condition.one_of or ()):
            return f"a value of {condition.column} holds a character that SQL dialects quote differently"
    return None


def _column(feature: Declaration) -> str | None:
    if feature.aggregation not in _NEEDS_COLUMN:
        return f"{feature.aggregation} takes no column" if feature.column is not None else None
    if feature.times_of:
        is_beside = feature.aggregation == "last_n" and feature.column == KNOWN_AT and bool(feature.where)
        return None if is_beside else f"times_of needs a last_n of {KNOWN_AT} whose first condition is the other's column"
    if feature.column not in COLUMNS:
        return f"{feature.aggregation} needs a column of an act, one of {', '.join(COLUMNS)}"
    if feature.aggregation in _NEEDS_INTEGER and COLUMNS[feature.column] != "int64":
        return (
            f"{feature.aggregation} needs an integer column, {feature.column} is text; sums of decimals would depend on the "
            "order of addition, and the order of text on the collation"
        )
    for name in feature.acts:
        if not ACT_KINDS[name].carries(feature.column):
            return f"{name} carries no {feature.column}"
    return None


def _window(feature: Declaration) -> str | None:
    size, slide = feature.size_s, feature.slide_s
    if feature.aggregation in ("age", "unique"):
        return f"{feature.aggregation} takes no window: it is computed at the decision" if size or slide else None
    if feature.is_running:
        if size or slide or feature.offset_s:
            return f"{feature.aggregation} takes no window: it changes with each event"
        if feature.aggregation == "last_n" and not (feature.n and 1 <= feature.n <= _MOST_LAST):
            return f"last_n needs n from 1 to {_MOST_LAST}"
        return "only last_n takes n" if feature.n and feature.aggregation != "last_n" else None
    if feature.n:
        return "only last_n takes n"
    if not size or not slide or size < 0 or slide < 0 or size % slide:
        return "size_s must be a positive multiple of slide_s, so that windows are made of whole slides"
    if feature.offset_s and (feature.offset_s < 0 or feature.offset_s % slide or feature.aggregation not in ("count", "sum")):
        return "offset_s must be a positive multiple of slide_s, of a count or sum, which are put together from slides"
    if feature.is_live and {feature.column, *(where.column for where in feature.where)} & set(LOCAL):
        return "local time needs the shop's zone, which the real-time job does not know; declare is_live=False"
    if size + feature.offset_s > _MOST_DAYS * 86_400:
        return f"size_s is longer than {_MOST_DAYS} days, the longest interval that Flink SQL takes being 99"
    return None


def _default(feature: Declaration) -> str | None:
    default = feature.default
    if feature.aggregation in ("count", "sum", "distinct"):
        return None if type(default) is int and default == 0 else "of no acts it is 0, so the default must be 0"
    if feature.aggregation in ("ratio", "age"):
        return None if default is None else f"of nothing {feature.aggregation} is unknown, so the default must be None"
    if feature.aggregation in ("last_n", "values", "unique"):
        return None if default == () else "of no acts it is empty, so the default must be ()"
    if default is None:
        return None
    wanted: dict[str, type] = {"int64": int, "double": float, "string": str}
    if type(default) is not wanted[feature.value_type]:
        return f"the default must be None or {wanted[feature.value_type].__name__}, as the value is {feature.value_type}"
    return None


def _times(feature: Declaration, by_name: Mapping[str, Declaration]) -> str | None:
    other = by_name.get(feature.times_of or "")
    if other is None or other.aggregation != "last_n" or other.view != feature.view:
        return f"{feature.times_of!r}, whose times it has, is no last_n of its view"
    is_alike = (feature.acts, feature.n) == (other.acts, other.n) and feature.where[1:] == other.where
    return None if is_alike else f"its acts, conditions and n must be those of {other.name}"


def _merging(feature: Declaration, by_name: Mapping[str, Declaration]) -> str | None:
    """What two ids of one person need to become one value must be declared, too."""
    if "person_id" not in ENTITY_KEYS[feature.entity]:
        return None
    if feature.aggregation == "mean":
        return "the means of two ids do not make one; declare a ratio of a sum and a count"
    if feature.aggregation == "distinct":
        beside = by_name.get(f"{feature.name}_values")
        wanted = (feature.column, feature.acts, feature.where, feature.size_s, feature.slide_s)
        if beside is None or (beside.column, beside.acts, beside.where, beside.size_s, beside.slide_s) != wanted:
            return f"two ids of a person may share values; declare {feature.name}_values with the same acts and window"
    if feature.aggregation == "last_n" and not feature.times_of:
        beside = by_name.get(f"{feature.name}_known_ms")
        if beside is None or beside.times_of != feature.name:
            return f"entries of two ids are put in the order of knowing; declare {feature.name}_known_ms beside it"
    return None


def _derived(feature: Declaration, by_name: Mapping[str, Declaration]) -> str | None:
    other = by_name.get(feature.source or "")
    if other is None or other.entity != feature.entity:
        return f"the source must be a feature of its entity, {feature.source!r} is none"
    if feature.aggregation == "unique":
        return None if other.aggregation == "last_n" and other.value_type == "list<string>" else f"{other.name} is no last_n"
    if other.column != "occurred_at_ms" and other.aggregation != "first_seen":
        return f"{other.name} holds no instant; an age needs a last or first_seen of occurred_at_ms"
    return None if other.is_running else f"{other.name} changes with its window only; an age needs the instant itself"


def _ratio(feature: Declaration, by_name: Mapping[str, Declaration]) -> str | None:
    for name in (feature.numerator, feature.denominator):
        part = by_name.get(name or "")
        if part is None:
            return f"a ratio divides two declared features, {name!r} is none"
        if part.aggregation not in DIVISIBLE:
            return f"{name} is a {part.aggregation}; a ratio divides integers that are 0 when nothing happened"
        if part.entity != feature.entity:
            return f"{name} is of another entity, {part.entity}"
        if part.slide_s != feature.slide_s:
            return f"{name} slides every {part.slide_s} s, this one every {feature.slide_s} s: their windows end apart"
        if part.size_s != feature.size_s:
            return f"the window of {name} is {part.size_s} s, this one's {feature.size_s} s"
        if feature.is_live and not part.is_live:
            return f"{name} is not in the real-time job, so this one cannot be"
    if feature.prior is None:
        return "prior_weight needs a prior" if feature.prior_weight else None
    prior = by_name.get(feature.prior)
    if prior is None or prior.aggregation != "ratio" or prior.entity != "shop" or prior.prior:
        return f"the prior must be a ratio of the shop that has no prior itself, {feature.prior!r} is none"
    if (prior.slide_s, prior.size_s) != (feature.slide_s, feature.size_s):
        return f"the window of {feature.prior} is another one"
    if feature.is_live and not prior.is_live:
        return f"{feature.prior} is not in the real-time job, so this one cannot be"
    return None if feature.prior_weight > 0 else "prior_weight must be positive: that many more of the denominator"
