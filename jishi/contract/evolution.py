"""What a change of the contract may do to stored events: nothing. The rules, executable.

A released version leaves two things behind: events as they were stored, and the JSON Schema of every type. ``replay`` reads the
events with today's contract; ``breaking_changes`` compares schemas, which also finds what no stored example happens to show. A
type or a field may be added, a rule may be loosened; a type may not vanish, a field may not vanish (a rename is that), become
needed, or take less than it took. What must break is a new event type or a new ``schema_version``.

One exception has a list: a value that never had one meaning, so that engines read it differently or died of it, may be refused
by name (``MENDED``). Events that are stored keep the outcome that they had, for a record is checked once, when it comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from jishi.contract.events import EVENT_TYPES, Event
from jishi.contract.fields import CURRENCY_PATTERN, INSTANT_PATTERN, NO_NUL_PATTERN
from jishi.contract.ids import ID_PATTERN
from jishi.contract.validation import Refusal, check_event

Schema = Mapping[str, Any]
# Patterns that released fields got later, each with what they refuse.
MENDED = {
    ID_PATTERN: "texts that name nobody (null, undefined), and ids that differ only in what nobody sees",
    CURRENCY_PATTERN: "three letters that are no currency",
    NO_NUL_PATTERN: "texts with a NUL, which end there for some engines",
    INSTANT_PATTERN: "forms of ISO 8601 that only Python reads, such as week dates",
}
# Keyword and whether a larger number is the stricter one.
_LIMITS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "maximum": False,
    "exclusiveMaximum": False,
    "maxLength": False,
    "maxItems": False,
}


def replay(lines: Iterable[str | bytes], types: Mapping[str, type[Event]] = EVENT_TYPES) -> list[str]:
    """Problems of stored events (JSON lines, all of them good when they were stored) under the contract ``types``.

    An event must still pass, and each of its fields must still be declared: a field that was renamed would else turn into an
    unknown one in silence.
    """
    problems = []
    for line in lines:
        raw = orjson.loads(line)
        name = f"{raw.get('type')} {raw.get('event_id')}"
        result = check_event(raw, types=types)
        if isinstance(result, Refusal):
            problems.append(f"{name}: refused, {result.reason} {result.field}: {result.detail}")
        else:
            problems += [f"{name}: {field} is no longer declared" for field in _undeclared(result, "")]
    return problems


def _undeclared(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from (f"{path}{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from _undeclared(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _undeclared(entry, f"{path}{index}.")


def breaking_changes(released: Mapping[str, Schema], current: Mapping[str, Schema]) -> list[str]:
    """What ``current`` refuses although ``released`` took it; both are the contract's JSON Schemas by event type."""
    problems = [f"{name}: the event type is gone" for name in released if name not in current]
    for name, schema in released.items():
        if name in current:
            problems += _narrowed(schema, current[name], schema, current[name], name)
    return problems


def _narrowed(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    old_forms, new_forms = _forms(old, old_root), _forms(new, new_root)
    for kind, old_form in old_forms.items():
        new_form = new_forms.get(kind, new_forms.get("any"))
        if new_form is None and kind == "integer":
            new_form = new_forms.get("number")
        if new_form is None:
            yield f"{path}: no longer takes {kind}"
            continue
        yield from _stricter(old_form, new_form, path)
        new_properties = new_form.get("properties", {})
        for name, form in old_form.get("properties", {}).items():
            if name not in new_properties:
                yield f"{path}.{name}: the field is gone"
            else:
                yield from _narrowed(form, new_properties[name], old_root, new_root, f"{path}.{name}")
        for name in set(new_form.get("required", [])) - set(old_form.get("required", [])):
            yield f"{path}.{name}: was not needed and is now"
        for inner in ("items", "additionalProperties"):
            if isinstance(new_form.get(inner), Mapping):
                before = old_form.get(inner)
                yield from _narrowed(
                    before if isinstance(before, Mapping) else {}, new_form[inner], old_root, new_root, f"{path}[]"
                )


def _stricter(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for keyword, larger_is_stricter in _LIMITS.items():
        if keyword not in new:
            continue
        if keyword not in old or (new[keyword] > old[keyword] if larger_is_stricter else new[keyword] < old[keyword]):
            yield f"{path}: {keyword} is {new[keyword]} and was {old.get(keyword, 'not limited')}"
    if "pattern" in new and new["pattern"] != old.get("pattern") and new["pattern"] not in MENDED:
        yield f"{path}: pattern is {new['pattern']} and was {old.get('pattern', 'free')}"
    if (allowed := _values(new)) is not None:
        before = _values(old)
        lost = ["any other value"] if before is None else sorted(map(str, before - allowed))
        yield from (f"{path}: no longer takes the value {value}" for value in lost)
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield f"{path}: no longer keeps unknown fields"


def _values(form: Schema) -> set[Any] | None:
    if "const" in form:
        return {form["const"]}
    return set(form["enum"]) if "enum" in form else None


def _forms(schema: Schema, root: Schema) -> dict[str, Schema]:
    """The JSON types that a schema takes, each with its rules; ``any`` for one that takes everything."""
    if "$ref" in schema:
        return _forms(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    if "anyOf" in schema:
        return {kind: form for option in schema["anyOf"] for kind, form in _forms(option, root).items()}
    return {str(schema.get("type", "any")): schema}
