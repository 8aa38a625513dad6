"""A mapping: how events that the contract refused are made good, as data and not as code.

    name: sku-becomes-item-id            # stands beside every event that it repairs
    match: {type: item_viewed, reason: missing_field, field: properties.item_id}    # each part may be left out
    steps:
      - rename: {from: properties.sku, to: properties.item_id}
      - default: {field: user_id, value: unknown}           # where the field is missing or null; $identity: collector_id#seq
      - convert: {field: properties.lines.*.unit_price_minor, to: minor_units}
      - shift: {field: occurred_at, seconds: -28800}
      - remove: {field: properties.debug}

Fields are dotted paths, ``*`` is every entry of a list. A mapping without steps replays events as they are, which is right
after the contract has learnt to take them. A step that does not fit an event leaves it as it is; the contract decides.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jishi.contract.bounds import MAX_DIGITS


class MappingError(ValueError):
    """A mapping that cannot be used; the message names file and field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Match(_Part):
    """Which quarantined events a mapping is for; what is left out matches all."""

    type: str | None = None
    outcome: Literal["invalid", "future"] | None = None
    reason: str | None = None
    field: str | None = None


class Rename(_Part):
    """Move a value to another name; an existing value of that name stays."""

    source: str = Field(alias="from")
    to: str

    @model_validator(mode="after")
    def is_one_to_one(self) -> Rename:
        """A list can only be renamed within its entries."""
        if ("*" in self.source or "*" in self.to) and _split(self.source)[0] != _split(self.to)[0]:
            raise ValueError("with * both names must lie in the same entry, such as lines.*.sku and lines.*.item_id")
        return self


class Default(_Part):
    """Fill a field that is missing or null."""

    field: str
    value: Any


class Convert(_Part):
    """Change a value's form. ``minor_units`` reads an amount of money with ``digits`` decimals, exactly."""

    field: str
    to: Literal["integer", "string", "minor_units", "instant", "instant_from_s", "instant_from_ms"]
    digits: int = Field(2, ge=0, le=4)
    zone: str = "UTC"

    @model_validator(mode="after")
    def has_known_zone(self) -> Convert:
        """Refuse a time zone that does not exist."""
        try:
            ZoneInfo(self.zone)
        except (LookupError, ValueError):
            raise ValueError(f"{self.zone!r} is not an IANA time zone such as Asia/Shanghai") from None
        return self


class Shift(_Part):
    """Move an instant, such as one of a clock that was set wrong."""

    field: str
    seconds: float


class Remove(_Part):
    """Take a field away."""

    field: str


class Step(_Part):
    """One change; exactly one of the names is there."""

    rename: Rename | None = None
    default: Default | None = None
    convert: Convert | None = None
    shift: Shift | None = None
    remove: Remove | None = None

    @model_validator(mode="after")
    def is_one_change(self) -> Step:
        """Refuse an empty step and one with two changes, whose order would be unclear."""
        if len(self.model_fields_set) != 1:
            raise ValueError("a step has one of rename, default, convert, shift, remove")
        return self


class Mapping(_Part):
    """A named repair of quarantined events."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    match: Match = Match()
    steps: list[Step] = Field(default_factory=list)

    def is_for(self, *, type: str | None, outcome: str, reason: str, field: str | None) -> bool:
        """Whether the mapping is for an event that was quarantined like this."""
        facts = {"type": type, "outcome": outcome, "reason": reason, "field": field}
        return all(wanted is None or facts[name] == wanted for name, wanted in self.match)

    def apply(self, raw: Any, identity: str) -> Any:
        """The changed event; ``raw`` stays as it is. ``identity`` stands for ``$identity`` in defaults."""
        event = copy.deepcopy(raw)
        if isinstance(event, dict):
            for step in self.steps:
                _apply(step, event, identity)
        return event


def load_mapping(file: Path) -> Mapping:
    """Read a mapping from YAML or JSON. Raises MappingError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{file} cannot be read: {error}") from None
    return _validated(file, _parse(file, text))


def _parse(file: Path, text: str) -> Any:
    if file.suffix == ".json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise MappingError(f"{file} is not JSON: {error}") from None
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise MappingError(f"{file} is not YAML: {error}") from None


def _validated(file: Path, value: Any) -> Mapping:
    try:
        return Mapping.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise MappingError(f"{file}: {where}: {first['msg']}") from None


def _apply(step: Step, event: dict[str, Any], identity: str) -> None:
    if step.rename:
        _rename(step.rename, event)
    elif step.default:
        value = identity if step.default.value == "$identity" else step.default.value
        for parent, name in _places(event, step.default.field, create=True):
            if parent.get(name) is None:
                parent[name] = copy.deepcopy(value)
    elif step.remove:
        for parent, name in _places(event, step.remove.field):
            parent.pop(name, None)
    else:
        change = step.convert or step.shift
        assert change is not None
        for parent, name in _places(event, change.field):
            if name in parent:
                parent[name] = (
                    _converted(parent[name], change) if isinstance(change, Convert) else _shifted(parent[name], change)
                )


def _rename(rename: Rename, event: dict[str, Any]) -> None:
    if _split(rename.source)[0] == _split(rename.to)[0]:
        target = _split(rename.to)[1]
        for parent, name in _places(event, rename.source):
            if name in parent and target not in parent:
                parent[target] = parent.pop(name)
        return
    for source, name in _places(event, rename.source):
        for parent, target in _places(event, rename.to, create=True):
            if name in source and target not in parent:
                parent[target] = source.pop(name)


def _places(value: Any, path: str, *, create: bool = False) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects that hold the field of a path, with its name; objects on the way are made when ``create`` says so."""
    parents, name = _split(path)
    places = [value]
    for part in parents:
        if part == "*":
            places = [entry for one in places if isinstance(one, list) for entry in one]
            continue
        for one in places:
            if create and isinstance(one, dict) and one.get(part) is None:
                one[part] = {}
        places = [one[part] for one in places if isinstance(one, dict) and part in one]
    yield from ((one, name) for one in places if isinstance(one, dict))


def _split(path: str) -> tuple[tuple[str, ...], str]:
    *parents, name = path.split(".")
    return tuple(parents), name


def _converted(value: Any, convert: Convert) -> Any:
    """The value in its new form, or as it is when it has none."""
    try:
        if convert.to == "string":
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if convert.to == "instant":
            instant = datetime.fromisoformat(value)
            return (instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(convert.zone))).isoformat()
        number = Decimal(str(value).strip())
        if number and number.is_finite() and abs(number.adjusted()) > MAX_DIGITS:
            return value  # 1e999999: the contract says what is wrong with it
        if convert.to in ("instant_from_s", "instant_from_ms"):
            seconds = number if convert.to == "instant_from_s" else number / 1000
            return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(seconds * 1000))).isoformat()
        exact = number.scaleb(convert.digits) if convert.to == "minor_units" else number
        return int(exact) if exact == int(exact) else value
    except (InvalidOperation, OverflowError, TypeError, ValueError):
        return value


def _shifted(value: Any, shift: Shift) -> Any:
    try:
        return (datetime.fromisoformat(value) + timedelta(seconds=shift.seconds)).isoformat()
    except (OverflowError, TypeError, ValueError):
        return value
