"""What an export of order lines or items means, as a YAML file or a preset; docs/import.md explains it with an example."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from imports.export_times import excel_serial, year_first
from imports.table_file import ReadingRules
from jishi.amounts import DecimalSign
from jishi.landing import LandingError
from jishi.money import CURRENCY_DIGITS, minor_digits
from jishi.yaml_text import NotYaml, parse_yaml

PRESETS = Path(__file__).with_name("presets")
ITEM_PRESETS = PRESETS / "items"
EXCEL_SERIAL = "excel_serial"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RowRule(_Part):
    """Rows whose ``column`` equals or contains one of some texts, starts with a text, is below a number, or is filled.

    ``equals`` and ``contains`` take capital letters for small ones.

    A file may lack the column of a rule with ``may_lack``, which then fits no row.
    """

    column: str
    equals: list[str] | None = None
    contains: list[str] | None = None
    starts_with: str | None = None
    below: float | None = None
    filled: Literal[True] | None = None
    may_lack: bool = False

    @model_validator(mode="after")
    def has_one_rule(self) -> RowRule:
        """Refuse none and several rules."""
        if sum(rule is not None for rule in (self.equals, self.contains, self.starts_with, self.below, self.filled)) != 1:
            raise ValueError("name one rule: equals, contains, starts_with, below or filled")
        return self


class Cancellation(RowRule):
    """Which rows take something back.

    ``order_id`` is the column that names the order; without it orders are matched. ``refund_id`` names the occasion; without it
    an occasion is what one document or order takes back at one instant.
    """

    order_id: str | None = None
    refund_id: str | None = None


class ExportMapping(_Part):
    """Columns of an export by the name of the field that they hold; ``defaults`` stand for columns that are not there.

    A column may be a list of names, of which a file has one; a file may lack the columns of the fields in ``may_lack``.
    ``digits`` are the decimals of amounts, those of the currency by ISO 4217 if left out. A quantity in one of the columns
    ``after_refunds`` lacks what was given back, so that ``refunded`` beside it is not taken off again.
    """

    columns: dict[str, str | list[str]]
    defaults: dict[str, Any] = Field(default_factory=dict)
    money: Literal["major", "minor"] = "major"
    digits: int | None = Field(None, ge=0, le=4, description="decimals of amounts, where they are not the currency's")
    decimal: DecimalSign | None = Field(None, description="decimal sign; found out for each column if left out")
    currency: str
    time_zone: str = "UTC"
    time_format: str | None = Field(
        None, description="strptime format of the time column, or excel_serial; ISO 8601 if left out"
    )
    cancellation: Cancellation | None = None
    may_lack: list[str] = Field(default_factory=list, description="fields whose column a file may lack")
    after_refunds: list[str] = Field(default_factory=list, description="columns of quantities less what was given back")
    keep: list[RowRule] = Field(default_factory=list, description="only rows that fit all of these are imported")
    leave_out: list[RowRule] = Field(default_factory=list, description="rows that fit one of these are not")
    encoding: str | None = None
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    sheet: str | None = None
    skip_rows: int | None = Field(None, ge=0, description="rows before the header; found out if left out")

    @field_validator("currency")
    @classmethod
    def is_currency(cls, value: str) -> str:
        """Refuse what is no currency."""
        minor_digits(value)
        return value

    @field_validator("time_format")
    @classmethod
    def has_exact_offset(cls, value: str | None) -> str | None:
        """Refuse names of zones, of which three letters may mean several."""
        if value is not None and "%Z" in value:
            raise ValueError("%Z reads no offset from a zone's name; use %z for offsets, or time_zone for the whole file")
        if value is not None and value != EXCEL_SERIAL:
            try:
                datetime.strptime(datetime(2026, 3, 1, tzinfo=UTC).strftime(value), value)  # noqa: DTZ007
            except (ValueError, re.error) as error:
                raise ValueError(f"{value!r} reads no time ({error}); write a format such as %d.%m.%Y %H:%M") from None
        return value

    @field_validator("delimiter")
    @classmethod
    def is_delimiter(cls, value: str | None) -> str | None:
        """Refuse what ends lines or begins quoted cells."""
        if value is not None and value in '\r\n"\0':
            raise ValueError(f"{value!r} cannot stand between cells; write one such as ';' or '\\t'")
        return value

    @field_validator("defaults")
    @classmethod
    def are_texts(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Refuse values of which no text can be made."""
        for name, default in value.items():
            if isinstance(default, (dict, list)) or any("\ud800" <= letter <= "\udfff" for letter in str(default)):
                raise ValueError(f"{name}: write a text or a number")
        return value

    @model_validator(mode="after")
    def has_known_zone(self) -> ExportMapping:
        """Refuse a time zone that does not exist."""
        try:
            ZoneInfo(self.time_zone)
        except (LookupError, OSError, ValueError):
            raise ValueError(f"time_zone: {self.time_zone!r} is not an IANA time zone such as Europe/London") from None
        return self

    def names_of(self, field: str) -> list[str]:
        """Column names that may hold a field; empty when the mapping names none."""
        names = self.columns.get(field, [])
        return [names] if isinstance(names, str) else list(names)

    @cached_property
    def wanted(self) -> list[list[str]]:
        """For every column that a file must have, the names that it may have."""
        rules = [*self.keep, *self.leave_out, *([self.cancellation] if self.cancellation else [])]
        extra = [rule.column for rule in rules if not rule.may_lack]
        if self.cancellation is not None:
            extra += [name for name in (self.cancellation.order_id, self.cancellation.refund_id) if name]
        return [*(self.names_of(field) for field in self.columns if field not in self.may_lack), *([name] for name in extra)]

    @property
    def amount_digits(self) -> int:
        """Decimals that an amount of the mapping's currency usually has."""
        return self.digits_in(self.currency)

    def digits_in(self, currency: str) -> int:
        """Decimals that an amount in a currency usually has, two in one that nobody knows."""
        return 0 if self.money == "minor" else self.digits if self.digits is not None else CURRENCY_DIGITS.get(currency, 2)

    @property
    def reading(self) -> ReadingRules:
        """How the files are read."""
        return ReadingRules(self.encoding, self.delimiter, self.sheet, self.skip_rows, self.currency)

    def require(self, fields: tuple[str, ...], optional: tuple[str, ...]) -> None:
        """Raises LandingError when a field is neither a column nor a default, or a column's field is unknown."""
        for name in fields:
            if name not in self.columns and name not in self.defaults:
                raise LandingError(f"the mapping names no column for {name!r}; add it below columns")
        for name in self.columns:
            if name not in (*fields, *optional):
                raise LandingError(
                    f"the mapping names a column for {name!r}, which is none of {', '.join((*fields, *optional))}"
                )

    def instant(self, text: str | None) -> datetime | None:
        """The instant of a cell with its offset, or that of ``time_zone``; None when the cell holds none."""
        if text is None:
            return None
        try:
            if self.time_format == EXCEL_SERIAL:
                moment: datetime | None = excel_serial(text)
            elif self.time_format is not None:
                moment = datetime.strptime(text, self.time_format)  # noqa: DTZ007
            else:
                moment = datetime.fromisoformat(text)
        except (OverflowError, ValueError):
            moment = year_first(text)  # also a workbook's own date cell, whatever the format of the text columns is
        if moment is None:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.time_zone))
        try:
            moment.astimezone(UTC)
        except OverflowError:  # the first day of year 1, east of Greenwich
            return None
        return moment


class _PlainWords(yaml.SafeLoader):
    """YAML in which a column may be called No, On or Off: only true and false are truth values."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def preset_names(folder: Path = PRESETS) -> list[str]:
    """Names of the presets of orders, or of another folder, that come with the package."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def load_export_mapping(
    file: Path | str, missing: dict[str, Any] | None = None, *, presets: Path = PRESETS, **changes: Any
) -> ExportMapping:
    """Read a mapping from a file, or a preset by its name in ``presets``.

    ``changes`` replace keys, ``missing`` stand for those left out. What a file ``assumed`` stands where nobody else says.
    Raises LandingError that names file and field.
    """
    path = presets / f"{file}.yaml" if isinstance(file, str) else file
    if isinstance(file, str) and not path.exists():
        known = ", ".join(preset_names(presets))
        raise LandingError(f"--preset: {file!r} is none of {known}; write a mapping for --map")
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"), _PlainWords)
        if not isinstance(content, dict):
            raise LandingError(f"{file}: the file: it holds no mapping of keys; see docs/import.md")
        if not isinstance(assumed := content.pop("assumed", {}), dict):
            raise LandingError(f"{file}: assumed: it holds no mapping of keys; see docs/import.md")
        content = assumed | (missing or {}) | content
        return ExportMapping.model_validate(content | {key: value for key, value in changes.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        fix = "; add it, or register the shop before: jishi shops create" if first["loc"] == ("currency",) else ""
        raise LandingError(f"{file}: {field}: {first['msg']}{fix}") from None
    except (NotYaml, OSError, UnicodeDecodeError) as error:
        raise LandingError(f"{file} cannot be read: {error}") from None
