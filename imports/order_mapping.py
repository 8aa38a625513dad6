"""What an export of order lines or items means, as a YAML file; docs/import.md explains it with an example."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jishi.contract.fields import Currency
from jishi.landing import LandingError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cancellation(_Part):
    """Which rows take something back. ``order_id`` is the column that names the order; without it orders are matched."""

    column: str
    starts_with: str | None = None
    equals: list[str] | None = None
    below: float | None = None
    order_id: str | None = None

    @model_validator(mode="after")
    def has_one_rule(self) -> Cancellation:
        """Refuse none and several rules."""
        if sum(rule is not None for rule in (self.starts_with, self.equals, self.below)) != 1:
            raise ValueError("name one rule: starts_with, equals or below")
        return self


class ExportMapping(_Part):
    """Columns of an export by the name of the field that they hold; ``defaults`` stand for columns that are not there."""

    columns: dict[str, str]
    defaults: dict[str, Any] = Field(default_factory=dict)
    money: Literal["major", "minor"] = "major"
    digits: int = Field(2, ge=0, le=4, description="decimals of the currency")
    currency: Currency
    time_zone: str = "UTC"
    time_format: str | None = Field(None, description="strptime format of the time column, where it is not ISO 8601")
    cancellation: Cancellation | None = None

    @model_validator(mode="after")
    def has_known_zone(self) -> ExportMapping:
        """Refuse a time zone that does not exist."""
        try:
            ZoneInfo(self.time_zone)
        except (LookupError, ValueError):
            raise ValueError(f"time_zone: {self.time_zone!r} is not an IANA time zone such as Europe/London") from None
        return self

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


def load_export_mapping(file: Path) -> ExportMapping:
    """Read a mapping. Raises LandingError that names file and field."""
    try:
        return ExportMapping.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise LandingError(f"{file}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LandingError(f"{file} cannot be read: {error}") from None
