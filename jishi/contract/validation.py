"""Check one raw event against the contract: an event, or a refusal that names reason, field and fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from jishi.contract.bounds import DISCOUNT_ABOVE, TOO_LARGE
from jishi.contract.events import EVENT_TYPES, Event
from jishi.contract.fields import to_ms
from jishi.contract.normal import BadId, with_normal_fields
from jishi.outcomes import CLAIM

_MOST_OF_TYPE, _LIKENESS = 40, 0.75
NOT_FROM_A_PAGE = "not_from_a_page"
TOO_LARGE_FOR_LOG = "too_large_for_log"
HORIZON_MS = 366 * 24 * 3600 * 1000  # no clock is a year ahead: what claims to be is a mistake, also in imported history

REASONS = {
    "bad_text": "a text is no Unicode (half of a character), or has a NUL",
    "duplicate_key": "a key stands twice in one object",
    "number_out_of_range": "a number that 64 bits do not hold, or NaN",
    "too_deep": "the event is nested too deep",
    "not_an_object": "the event is not a JSON object, or its text no JSON at all",
    "unknown_type": "the contract has no such event type",
    "missing_field": "a field that the type needs is missing",
    "wrong_type": "a field has the wrong JSON type",
    "bad_value": "a field has a value that is not allowed",
    "bad_id": "a text that is no id, such as null, or one with control characters",
    "unknown_currency": "a currency that ISO 4217 does not have",
    TOO_LARGE: "a price times a quantity, or a sum of the event, is larger than an amount may be",
    DISCOUNT_ABOVE: "a discount is larger than what it is taken from",
    "beyond_horizon": "a time that lies more than a year ahead",
    "too_large": "the event is longer than one event may be",
    TOO_LARGE_FOR_LOG: "the event log refused the record for its size; it is kept whole beside the write-ahead log",
    NOT_FROM_A_PAGE: "a page sent what only the shop knows",
    CLAIM: "an order from another source than the shop's: kept as a claim, never counted",
    "foreign_shop": "the event names another shop than the key it came with",
}


@dataclass(frozen=True)
class Refusal:
    """Why an event is invalid: a ``reason`` of ``REASONS``, the ``field`` (dotted path), and a sentence with the fix."""

    reason: str
    field: str
    detail: str


def check_event(
    raw: Any, shop_id: str | None = None, types: Mapping[str, type[Event]] = EVENT_TYPES, now_ms: int | None = None
) -> Event | Refusal:
    """The typed event, or the first thing that is wrong with it.

    ``raw`` is the decoded JSON of one event; ``shop_id`` the shop whose key brought it, if there is one; ``types`` the contract
    to check against, this version's where it is left out; ``now_ms`` the clock that times are compared with (epoch
    milliseconds), without which none is too far ahead. Never raises.
    """
    return checked(raw, shop_id, types, now_ms)[1]


def checked(
    raw: Any,
    shop_id: str | None = None,
    types: Mapping[str, type[Event]] = EVENT_TYPES,
    now_ms: int | None = None,
) -> tuple[Any, Event | Refusal]:
    """``check_event``, and ``raw`` with ids and numbers in their one form: the same object where nothing differs."""
    if not isinstance(raw, dict):
        return raw, Refusal("not_an_object", "", f"send a JSON object, not {type(raw).__name__}")
    named = raw.get("shop_id")
    if shop_id is not None and isinstance(named, str) and named != shop_id:
        return raw, Refusal("foreign_shop", "shop_id", f"this key belongs to shop {shop_id!r}; send events of that shop")
    name = raw.get("type")
    if name is None:
        return raw, Refusal("missing_field", "type", "add 'type', the name of the event, such as item_viewed")
    model = types.get(name) if isinstance(name, str) else None
    if model is None:
        detail = f"{_shown(name)} is not an event type{_near(name, tuple(types))}; see docs/events.md for the list"
        return raw, Refusal("unknown_type", "type", detail)
    try:
        raw = with_normal_fields(raw, model)
        event = model.model_validate(raw)
    except BadId as error:
        return raw, Refusal("bad_id", error.field[:200], str(error))
    except ValidationError as error:
        return raw, _refusal_of(error)
    return raw, event if now_ms is None else _within_horizon(event, now_ms)


@lru_cache(1024)
def _near_type(name: str, known: tuple[str, ...]) -> str:
    return "".join(f", perhaps {each!r}" for each in get_close_matches(name, known, 1, _LIKENESS))


def _near(name: object, known: tuple[str, ...]) -> str:
    """The event type that was perhaps meant."""
    return _near_type(name[:_MOST_OF_TYPE].lower(), known) if isinstance(name, str) else ""


def _within_horizon(event: Event, now_ms: int) -> Event | Refusal:
    for field in ("occurred_at", "received_at"):
        instant = getattr(event, field)
        if instant is not None and to_ms(instant) > now_ms + HORIZON_MS:
            detail = f"{field} lies more than a year ahead; is the clock right, and the unit of the time?"
            return Refusal("beyond_horizon", field, f"{detail} got {instant.isoformat()}")
    return event


def _refusal_of(error: ValidationError) -> Refusal:
    first = error.errors(include_url=False, include_input=True)[0]
    kind = first["type"]
    place = [*first["loc"], first["ctx"]["field"]] if kind in (TOO_LARGE, DISCOUNT_ABOVE) else first["loc"]
    field = ".".join(str(part) for part in place)[:200] or "user_id"  # a name from the event itself may be long
    if kind == "missing":
        return Refusal("missing_field", field, f"add {field!r}")
    message = first["msg"].removeprefix("Value error, ")
    if kind in REASONS and kind != "unknown_currency":
        return Refusal(kind, field, message)
    shown = _shown(first.get("input"))
    if kind.endswith("_type") or kind == "is_instance_of":
        return Refusal("wrong_type", field, f"{field}: {message}; got {type(first.get('input')).__name__} {shown}")
    return Refusal(kind if kind in REASONS else "bad_value", field, f"{field}: {message}; got {shown}")


def _shown(value: Any) -> str:
    """The start of a value as text that any encoding takes."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**80:
        return "a number of more than 80 digits"
    text = value if isinstance(value, str) else ascii(value) if isinstance(value, (dict, list)) else str(value)
    return repr(text[:80].encode(errors="replace").decode())
