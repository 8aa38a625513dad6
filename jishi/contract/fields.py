"""Field types of the contract: identifiers, instants, money, text. Strict: a number in quotes is not a number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StrictBool, StrictInt, StrictStr, WithJsonSchema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def parse_instant(value: Any) -> datetime:
    """An instant from an ISO 8601 string with an offset (``2026-09-01T08:00:00.123+08:00`` or ``…Z``).

    Returns UTC, cut to milliseconds, the precision of the log. Raises ValueError for anything else, numbers included: a bare
    number does not say its unit.
    """
    if isinstance(value, datetime):
        instant = value
    elif isinstance(value, str):
        instant = datetime.fromisoformat(value)
    else:
        raise ValueError("must be an ISO 8601 string with an offset, such as 2026-09-01T00:00:00.000Z")
    if instant.tzinfo is None:
        raise ValueError("has no offset; add Z or +08:00, so that it means one instant everywhere")
    if instant.tzinfo is not UTC:
        try:
            instant = instant.astimezone(UTC)
        except OverflowError:
            raise ValueError("lies outside the years 1970 to 9999") from None
    if instant.year < 1970:
        raise ValueError("lies outside the years 1970 to 9999")
    finer = instant.microsecond % 1000
    return instant.replace(microsecond=instant.microsecond - finer) if finer else instant


def to_ms(instant: datetime) -> int:
    """Epoch milliseconds of an instant, exact."""
    return (instant - _EPOCH) // _MILLISECOND


Instant = Annotated[datetime, PlainValidator(parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Id = Annotated[StrictStr, Field(min_length=1, max_length=200)]
ShopId = Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = Annotated[StrictStr, Field(max_length=2000)]
Currency = Annotated[StrictStr, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]
MinorUnits = Annotated[StrictInt, Field(ge=0, lt=2**53, description="money in minor units (cents, 分)")]
Count = Annotated[StrictInt, Field(ge=0, lt=2**53)]
Flag = StrictBool


class Part(BaseModel):
    """Base of every part of an event: unknown fields are kept and do not break.

    A model's validator is built when it is first needed, because many processes import the contract and few check events.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
