"""Ids, whole numbers and times of an event in their one form, before the contract checks it.

An id is trimmed and in NFC (jishi.contract.ids); a whole number that came as 1.0, as JSON allows, is 1; an instant among the
properties is UTC with milliseconds and ``Z`` (those of the envelope are columns of the record). Engines read them from the
event's line, so the line of an event that changes here is written anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from jishi.contract.fields import EventPart, Id, Instant, parse_instant
from jishi.contract.ids import are_plain, normal_id
from jishi.money import MOST_MINOR


class BadId(ValueError):
    """A text that is no id; ``field`` is its dotted path, the message says what is wrong and what to do."""

    def __init__(self, field: str, value: str, problem: str) -> None:
        super().__init__(f"{field} {problem}; got {value[:80]!r}")
        self.field = field


@dataclass(frozen=True)
class _Form:
    """What a part of an event holds: names of ids, lists of ids, whole numbers, instants, parts and lists of parts."""

    ids: tuple[str, ...]
    id_lists: tuple[str, ...]
    numbers: tuple[str, ...]
    instants: tuple[str, ...]
    parts: tuple[tuple[str, type[BaseModel]], ...]
    part_lists: tuple[tuple[str, type[BaseModel]], ...]


_FORMS: dict[type[BaseModel], _Form] = {}  # of each model that was met


def with_normal_fields(raw: dict[str, Any], model: type[BaseModel], path: str = "") -> dict[str, Any]:
    """``raw``, or a copy with ids and numbers in their one form where they differ. Raises BadId for the first that is no id.

    ``raw`` is an event (or a part of one) that ``model`` is for; what has another type than its field is left for the check.
    """
    form = _FORMS.get(model) or _form(model)
    changed: dict[str, Any] = {}
    get = raw.get
    texts = [value for name in form.ids if type(value := get(name)) is str]
    if texts and not are_plain(texts):
        for name in form.ids:
            if type(value := get(name)) is str and (normal := _id(value, path, name)) != value:
                changed[name] = normal
    for name in form.numbers:
        value = get(name)
        if type(value) is float and abs(value) <= MOST_MINOR and value.is_integer():
            changed[name] = int(value)
    for name in form.instants:
        value = get(name)
        if type(value) is str and (normal := _instant(value)) != value:
            changed[name] = normal
    for name in form.id_lists:
        value = raw.get(name)
        if type(value) is list:
            ids = [_id(text, f"{path}{name}.", str(at)) if type(text) is str else text for at, text in enumerate(value)]
            if ids != value:
                changed[name] = ids
    for name, part in form.parts:
        value = raw.get(name)
        if type(value) is dict and (normal_part := with_normal_fields(value, part, f"{path}{name}.")) is not value:
            changed[name] = normal_part
    for name, part in form.part_lists:
        value = raw.get(name)
        if type(value) is list:
            parts = [
                with_normal_fields(entry, part, f"{path}{name}.{at}.") if type(entry) is dict else entry
                for at, entry in enumerate(value)
            ]
            if any(after is not before for after, before in zip(parts, value, strict=True)):
                changed[name] = parts
    return {**raw, **changed} if changed else raw


def _id(value: str, path: str, name: str) -> str:
    try:
        return normal_id(value)
    except ValueError as problem:
        raise BadId(path + name, value, str(problem)) from None


def _instant(value: str) -> str:
    """The instant in its one form; what is none stays as it is, for the check."""
    try:
        return parse_instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except ValueError:
        return value


def _form(model: type[BaseModel]) -> _Form:
    ids, id_lists, numbers, instants, parts, part_lists = [], [], [], [], [], []
    is_envelope = "properties" in model.model_fields
    for name, info in model.model_fields.items():
        for kind in _kinds(info.annotation):
            inner = next(_kinds(get_args(kind)[0])) if get_origin(kind) is list else None
            if kind is Id:
                ids.append(name)
            elif inner is Id:
                id_lists.append(name)
            elif kind is int:
                numbers.append(name)
            elif kind is Instant and not is_envelope:
                instants.append(name)
            elif isinstance(kind, type) and issubclass(kind, EventPart):
                parts.append((name, kind))
            elif isinstance(inner, type) and issubclass(inner, EventPart):
                part_lists.append((name, inner))
    form = _FORMS[model] = _Form(
        *(tuple(ids), tuple(id_lists), tuple(numbers), tuple(instants)), tuple(parts), tuple(part_lists)
    )
    return form


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types of an annotation without ``Annotated`` and ``| None``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for option in get_args(annotation):
            yield from _kinds(option)
    else:
        yield annotation
