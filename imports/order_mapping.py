"""What an export of order lines or items means, as a YAML file or a preset; docs/import.md explains it with an example."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from imports.amounts import DecimalSign
from imports.table_file import ReadingRules
from jishi.landing import LandingError
from jishi.money import minor_digits

PRESETS = Path(__file__).with_name("presets")
EXCEL_SERIAL = "excel_serial"  # days since 1899-12-30, as spreadsheets count


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RowRule(_Part):
    """Rows whose ``column`` equals or contains one of some texts, starts with a text, or is below a number."""

    column: str
    equals: list[str] | None = None
    contains: list[str] | None = None
    starts_with: str | None = None
    below: float | None = None

    @model_validator(mode="after")
    def has_one_rule(self) -> RowRule:
        """Refuse none and several rules."""
        if sum(rule is not None for rule in (self.equals, self.contains, self.starts_with, self.below)) != 1:
            raise ValueError("name one rule: equals, contains, starts_with or below")
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
    ``digits`` are the decimals of amounts, those of the currency by ISO 4217 if left out.
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
        return value

    @model_validator(mode="after")
    def has_known_zone(self) -> ExportMapping:
        """Refuse a time zone that does not exist."""
        try:
            ZoneInfo(self.time_zone)
        except (LookupError, ValueError):
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
        extra = [rule.column for rule in rules]
        if self.cancellation is not None:
            extra += [name for name in (self.cancellation.order_id, self.cancellation.refund_id) if name]
        return [*(self.names_of(field) for field in self.columns if field not in self.may_lack), *([name] for name in extra)]

    @property
    def reading(self) -> ReadingRules:
        """How the files are read."""
        return ReadingRules(self.encoding, self.delimiter, self.sheet, self.skip_rows)

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
                moment: datetime | None = _from_serial(text)
            elif self.time_format is not None:
                moment = datetime.strptime(text, self.time_format)  # noqa: DTZ007
            else:
                moment = datetime.fromisoformat(text)
        except ValueError:
            moment = _excel_cell(text) if self.time_format else None
        if moment is None:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.time_zone))


def _from_serial(text: str) -> datetime:
    from datetime import timedelta

    days = float(text)
    if not 1 <= days < 2_958_466:  # 9999-12-31
        raise ValueError(text)
    return datetime(1899, 12, 30) + timedelta(seconds=round(days * 86_400))  # noqa: DTZ001


def _excel_cell(text: str) -> datetime | None:
    """A workbook's own date cell comes in ISO 8601, whatever the format of the text columns is."""
    try:
        return datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        return None


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def load_export_mapping(file: Path | str, **changes: Any) -> ExportMapping:
    """Read a mapping from a file, or a preset by its name; ``changes`` replace keys.

    Raises LandingError that names file and field.
    """
    path = PRESETS / f"{file}.yaml" if isinstance(file, str) else file
    if isinstance(file, str) and not path.exists():
        raise LandingError(f"--preset: {file!r} is none of {', '.join(preset_names())}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise LandingError(f"{file}: the file: it holds no mapping of keys; see docs/import.md")
        return ExportMapping.model_validate(content | {key: value for key, value in changes.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise LandingError(f"{file}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LandingError(f"{file} cannot be read: {error}") from None
