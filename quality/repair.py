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
Applied twice a mapping does what it does once: amounts that are minor units already stay, a shifted instant says so.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jishi.amounts import DecimalSign
from quality.conversion import Amount, MinorUnits, to_instant, to_integer, to_text


class MappingError(ValueError):
    """A mapping that cannot be used; the message names file and field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Match(_Part):
    """Which quarantined events a mapping is for; what is left out matches all."""

    type: str | None = None
    outcome: Literal["invalid", "claim", "future"] | None = None
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
    """Change a value's form. ``minor_units`` reads an amount of money as people write it, exactly or not at all.

    ``digits`` are its decimals, those of the event's currency (else of the shop's) if left out; ``decimal`` is the sign before
    them, found out from the event's amounts if left out.
    """

    field: str
    to: Literal["integer", "string", "minor_units", "instant", "instant_from_s", "instant_from_ms"]
    digits: int | None = Field(None, ge=0, le=4)
    decimal: DecimalSign | None = None
    zone: str = "UTC"

    @model_validator(mode="after")
    def has_unit_in_its_name(self) -> Convert:
        """Minor units belong into a field whose name says so; the name also tells what a whole number in it is."""
        if self.to == "minor_units" and not self.field.endswith("_minor"):
            raise ValueError(f"minor units go into a field such as unit_price_minor; rename {self.field!r} in a step before")
        return self

    @model_validator(mode="after")
    def has_known_zone(self) -> Convert:
        """Refuse a time zone that does not exist."""
        try:
            ZoneInfo(self.zone)
        except (LookupError, OSError, ValueError):
            raise ValueError(f"{self.zone!r} is not an IANA time zone such as Asia/Shanghai") from None
        return self


class Shift(_Part):
    """Move an instant, such as one of a clock that was set wrong; ``shifted`` beside it keeps what it was."""

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

    @model_validator(mode="after")
    def is_stable(self) -> Mapping:
        """Refuse steps that undo each other: applied twice they would not do what they do once."""
        makes = {step.rename.to for step in self.steps if step.rename} | {s.default.field for s in self.steps if s.default}
        takes = {s.rename.source for s in self.steps if s.rename} | {s.remove.field for s in self.steps if s.remove}
        for target, source in product(sorted(makes), sorted(takes)):
            if f"{target}.".startswith(f"{source}."):
                raise ValueError(
                    f"one step makes {target!r} and another takes {source!r} away; write one step that does what is meant"
                )
        changed: dict[str, int] = {}
        forms: dict[str, str] = {}
        for step in self.steps:
            if step.convert and forms.setdefault(step.convert.field, step.convert.to) != step.convert.to:
                raise ValueError(f"{step.convert.field!r} is converted to two forms; leave one")
            field, rank = _rank(step)
            holds_others = step.rename or (step.default and step.default.value not in ([], {}))
            if any(r > rank and (f == field or (holds_others and f.startswith(f"{field}."))) for f, r in changed.items()):
                raise ValueError(f"{field!r}: put rename and default before convert, and convert before shift")
            changed[field] = max(rank, changed.get(field, 0))
        return self

    def is_for(self, *, type: str | None, outcome: str, reason: str, field: str | None) -> bool:
        """Whether the mapping is for an event that was quarantined like this."""
        facts = {"type": type, "outcome": outcome, "reason": reason, "field": field}
        return all(wanted is None or facts[name] == wanted for name, wanted in self.match)

    def apply(self, raw: Any, identity: str, currency: str = "CNY") -> Any:
        """The changed event; ``raw`` stays as it is.

        ``identity`` stands for ``$identity`` in defaults, ``currency`` is the shop's.
        """
        event = copy.deepcopy(raw)
        if isinstance(event, dict):
            change = _Change(event, identity, currency, self.steps)
            for step in self.steps:
                change.apply(step)
        return event


def _rank(step: Step) -> tuple[str, int]:
    """The field that a step writes, and its place in the order of steps: make, convert, shift, remove."""
    if step.convert:
        return step.convert.field, 1
    if step.shift:
        return step.shift.field, 2
    if step.remove:
        return step.remove.field, 3
    return step.rename.to if step.rename else step.default.field if step.default else "", 0


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
        except (RecursionError, ValueError) as error:  # also a number of 5,000 digits
            raise MappingError(f"{file} is not JSON: {error}") from None
    from jishi.yaml_text import NotYaml, parse_yaml

    try:
        return parse_yaml(text)
    except NotYaml as error:
        raise MappingError(f"{file} is not YAML: {error}") from None


def _validated(file: Path, value: Any) -> Mapping:
    try:
        return Mapping.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise MappingError(f"{file}: {where}: {first['msg']}") from None


class _Change:
    """Steps of a mapping on one event, which they change in place."""

    def __init__(self, event: dict[str, Any], identity: str, currency: str, steps: list[Step]) -> None:
        self._event, self._identity = event, identity
        properties = event.get("properties")
        named = properties.get("currency") if isinstance(properties, dict) else None
        self._currency = named if isinstance(named, str) else currency
        self._amounts = [step.convert for step in steps if step.convert and step.convert.to == "minor_units"]
        self._minor: MinorUnits | None = None
        self._majors: set[tuple[int, str]] = set()  # amounts that a rename took from a name without a unit

    def apply(self, step: Step) -> None:
        """Take one step."""
        if step.rename:
            self._rename(step.rename)
        elif step.default:
            self._fill(step.default)
        elif step.remove:
            for parent, name in _places(self._event, step.remove.field):
                parent.pop(name, None)
        elif step.shift:
            self._shift(step.shift)
        elif step.convert:
            self._convert(step.convert)

    def _rename(self, rename: Rename) -> None:
        sources = [(parent, name) for parent, name in _places(self._event, rename.source) if name in parent]
        if _split(rename.source)[0] == _split(rename.to)[0]:
            target = _split(rename.to)[1]
            pairs = [(parent, name, parent, target) for parent, name in sources]
        else:
            targets = list(_places(self._event, rename.to, create=True)) if sources else []
            pairs = [(*source, *place) for source in sources for place in targets]
        for parent, name, new_parent, target in pairs:
            if name in parent and target not in new_parent:
                new_parent[target] = parent.pop(name)
                if not name.endswith("_minor"):
                    self._majors.add((id(new_parent), target))

    def _fill(self, default: Default) -> None:
        value = self._identity if default.value == "$identity" else default.value
        for parent, name in _places(self._event, default.field, create=True):
            if parent.get(name) is None:
                parent[name] = copy.deepcopy(value)

    def _shift(self, shift: Shift) -> None:
        for parent, name in _places(self._event, shift.field):
            shifted = parent.get("shifted", {})
            if name not in parent or not isinstance(shifted, dict) or name in shifted:
                continue  # shifted once is shifted for ever
            try:
                moved = (datetime.fromisoformat(parent[name]) + timedelta(seconds=shift.seconds)).isoformat()
            except (OverflowError, TypeError, ValueError):
                continue
            parent["shifted"] = {**shifted, name: parent[name]}
            parent[name] = moved

    def _convert(self, convert: Convert) -> None:
        if convert.to == "minor_units" and self._minor is None:
            self._minor = self._minor_units()
        for parent, name in _places(self._event, convert.field):
            if name not in parent:
                continue
            value = parent[name]
            if convert.to == "string":
                parent[name] = to_text(value)
            elif convert.to == "integer":
                parent[name] = to_integer(value, convert.decimal)
            elif convert.to == "minor_units":
                assert self._minor is not None
                parent[name] = self._minor.of(self._amount(convert, parent, name))
                self._majors.discard((id(parent), name))
            else:
                parent[name] = to_instant(value, convert.to, convert.zone)

    def _minor_units(self) -> MinorUnits:
        """The reading of all amounts that the mapping converts in this event."""
        places = [(convert, *place) for convert in self._amounts for place in _places(self._event, convert.field)]
        amounts = [self._amount(*place) for place in places if place[1].get(place[2]) is not None]
        return MinorUnits(amounts, self._currency)

    def _amount(self, convert: Convert, parent: dict[str, Any], name: str) -> Amount:
        return Amount(parent[name], convert.digits, convert.decimal, (id(parent), name) in self._majors)


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
