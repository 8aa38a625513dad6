"""Check one raw event against the contract: an event, or a refusal that names reason, field and fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from jishi.contract.events import EVENT_TYPES, Event

REASONS = {
    "not_an_object": "the event is not a JSON object",
    "unknown_type": "the contract has no such event type",
    "missing_field": "a field that the type needs is missing",
    "wrong_type": "a field has the wrong JSON type",
    "bad_value": "a field has a value that is not allowed",
    "too_large": "the event is longer than one event may be",
    "foreign_shop": "the event names another shop than the key it came with",
}


@dataclass(frozen=True)
class Refusal:
    """Why an event is invalid: a ``reason`` of ``REASONS``, the ``field`` (dotted path), and a sentence with the fix."""

    reason: str
    field: str
    detail: str


def check_event(raw: Any, shop_id: str | None = None, types: Mapping[str, type[Event]] = EVENT_TYPES) -> Event | Refusal:
    """The typed event, or the first thing that is wrong with it.

    ``raw`` is the decoded JSON of one event; ``shop_id`` the shop whose key brought it, if there is one; ``types`` the contract
    to check against, this version's where it is left out. Never raises.
    """
    if not isinstance(raw, dict):
        return Refusal("not_an_object", "", f"send a JSON object, not {type(raw).__name__}")
    named = raw.get("shop_id")
    if shop_id is not None and isinstance(named, str) and named != shop_id:
        return Refusal("foreign_shop", "shop_id", f"this key belongs to shop {shop_id!r}; send events of that shop")
    name = raw.get("type")
    if name is None:
        return Refusal("missing_field", "type", "add 'type', the name of the event, such as item_viewed")
    model = types.get(name) if isinstance(name, str) else None
    if model is None:
        return Refusal("unknown_type", "type", f"{str(name)[:80]!r} is not an event type; see docs/events.md for the list")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        return _refusal_of(error)


def _refusal_of(error: ValidationError) -> Refusal:
    first = error.errors(include_url=False, include_input=True)[0]
    field = ".".join(str(part) for part in first["loc"])[:200] or "user_id"  # a name from the event itself may be long
    kind = first["type"]
    if kind == "missing":
        return Refusal("missing_field", field, f"add {field!r}")
    message = first["msg"].removeprefix("Value error, ")
    shown = str(first.get("input"))[:80]
    is_type_error = kind.endswith("_type") or kind in ("is_instance_of",)
    if is_type_error:
        return Refusal("wrong_type", field, f"{field}: {message}; got {type(first.get('input')).__name__} {shown!r}")
    return Refusal("bad_value", field, f"{field}: {message}; got {shown!r}")
