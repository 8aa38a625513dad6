"""One message of the feature topic, checked against the feature definitions, as a row for Feast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

import orjson

from feature_repo.daily import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from feature_repo.definitions import VALID_UNTIL
from feature_repo.online_store import LOG_OFFSET
from jishi.features import ENTITY_COLUMN, Feature

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


def parse(payload: bytes | None, log_offset: int, views: Views) -> FeatureRow:
    """The row of one message. Raises BadMessage. ``log_offset`` is its position in the topic's partition."""
    if payload is None:
        raise BadMessage("the message has no value")
    try:
        told = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadMessage(f"not JSON: {error}") from None
    if not isinstance(told, dict):
        raise BadMessage(f"must be a JSON object, not {type(told).__name__}")
    name = told.get("view")
    members = views.get(name) if isinstance(name, str) else None
    if members is None:
        raise BadMessage(f"view: {name!r} is not one of {', '.join(sorted(views))}")
    as_of_ms = _instant(told, "as_of_ms")
    at = datetime.fromtimestamp(as_of_ms / 1000, UTC)
    values = told.get("values")
    if not isinstance(values, dict):
        raise BadMessage("values: must be an object of feature values")
    columns: dict[str, Any] = {
        "shop_id": _text(told, "shop_id"),
        ENTITY_COLUMN[members[0].entity]: _text(told, "entity_id"),
        EVENT_TIMESTAMP: at,
        CREATED_TIMESTAMP: at,
        VALID_UNTIL: None if told.get("valid_until_ms") is None else _instant(told, "valid_until_ms"),
        LOG_OFFSET: log_offset,
    }
    for feature in members:
        columns[feature.name] = _value(values, feature)
    return FeatureRow(members[0].view, as_of_ms, columns)


def _value(values: dict[str, Any], feature: Feature) -> int | list[str]:
    if feature.name not in values:
        raise BadMessage(f"values.{feature.name}: is missing")
    value = values[feature.name]
    if feature.aggregation == "count":
        if not _is_integer(value) or not -(2**63) <= value < 2**63:
            raise BadMessage(f"values.{feature.name}: must be a 64-bit integer, not {value!r}")
        return int(value)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadMessage(f"values.{feature.name}: must be a list of strings, not {value!r}")
    return value


def _text(told: dict[str, Any], field: str) -> str:
    value = told.get(field)
    if not isinstance(value, str) or not value:
        raise BadMessage(f"{field}: must be a non-empty string, not {value!r}")
    return value


def _instant(told: dict[str, Any], field: str) -> int:
    value = told.get(field)
    if not _is_integer(value) or not 0 <= value <= _MAX_MS:
        raise BadMessage(f"{field}: must be epoch milliseconds, not {value!r}")
    return int(value)


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
