"""One message of the feature topic, checked against the feature definitions, as a row for Feast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

import orjson

from jishi.features import Feature
from jishi.features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, LOG_OFFSET, VALID_UNTIL
from jishi.features.entity import key_values
from jishi.features.newest import KeptRow

Views = Mapping[str, tuple[Feature, ...]]
# Beyond the year 9999 no datetime exists; such an instant is a fault of the sender.
_MAX_MS = 253_402_300_799_999


class BadMessage(ValueError):
    """A message that no view can take; says which field and why."""


@dataclass(frozen=True)
class FeatureRow:
    """Values of one view for one entity: ``columns`` are those of the Feast view, keys and timestamps included."""

    view: str
    as_of_ms: int
    columns: dict[str, Any]

    def kept(self, members: Sequence[Feature]) -> KeptRow:
        """The row as the monotonic rule compares it."""
        columns = self.columns
        values = {feature.name: columns[feature.name] for feature in members}
        return KeptRow(self.as_of_ms * 1000, columns[LOG_OFFSET], values, columns[VALID_UNTIL])


def parse(payload: bytes | None, log_offset: int, views: Views) -> FeatureRow:
    """The row of one message. Raises BadMessage. ``log_offset`` is its position in the topic's partition."""
    if payload is None:
        raise BadMessage("the message has no value")
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadMessage(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise BadMessage(f"must be a JSON object, not {type(message).__name__}")
    name = message.get("view")
    members = views.get(name) if isinstance(name, str) else None
    if members is None:
        raise BadMessage(f"view: {name!r} is not one of {', '.join(sorted(views))}")
    as_of_ms = _instant(message, "as_of_ms")
    at = datetime.fromtimestamp(as_of_ms / 1000, UTC)
    values = message.get("values")
    if not isinstance(values, dict):
        raise BadMessage("values: must be an object of feature values")
    columns: dict[str, Any] = {
        "shop_id": _text(message, "shop_id"),
        **_keys(members[0].entity, _text(message, "entity_id")),
        EVENT_TIMESTAMP: at,
        CREATED_TIMESTAMP: at,
        VALID_UNTIL: None if message.get("valid_until_ms") is None else _instant(message, "valid_until_ms"),
        LOG_OFFSET: log_offset,
    }
    for feature in members:
        columns[feature.name] = _value(values, feature)
    return FeatureRow(members[0].view, as_of_ms, columns)


def _keys(entity: str, identity: str) -> dict[str, str]:
    try:
        return key_values(entity, identity)
    except ValueError as error:
        raise BadMessage(f"entity_id: {error}") from None


def _value(values: dict[str, Any], feature: Feature) -> Any:
    name = f"values.{feature.name}"
    if feature.name not in values:
        raise BadMessage(f"{name}: is missing")
    value = values[feature.name]
    if value is None and feature.default is None:
        return None
    kind = feature.value_type
    if kind.startswith("list"):
        is_element = _is_stored_integer if kind == "list<int64>" else _is_text
        if not isinstance(value, list) or not all(map(is_element, value)):
            raise BadMessage(f"{name}: must be a list of {'integers' if kind == 'list<int64>' else 'strings'}, not {value!r}")
        return value
    if kind == "int64" and not _is_stored_integer(value):
        raise BadMessage(f"{name}: must be a 64-bit integer, not {value!r}")
    if kind == "string" and not _is_text(value):
        raise BadMessage(f"{name}: must be a string, not {value!r}")
    if kind == "double":
        if not isinstance(value, float) and not _is_integer(value):
            raise BadMessage(f"{name}: must be a number, not {value!r}")
        return float(value)
    return value


def _text(message: dict[str, Any], field: str) -> str:
    value = message.get(field)
    if not isinstance(value, str) or not value:
        raise BadMessage(f"{field}: must be a non-empty string, not {value!r}")
    return value


def _instant(message: dict[str, Any], field: str) -> int:
    value = message.get(field)
    if not _is_integer(value) or not 0 <= value <= _MAX_MS:
        raise BadMessage(f"{field}: must be epoch milliseconds, not {value!r}")
    return int(value)


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_stored_integer(value: Any) -> bool:
    return _is_integer(value) and -(2**63) <= value < 2**63


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
