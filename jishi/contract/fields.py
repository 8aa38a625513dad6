"""Field types of the contract: identifiers, instants, money, text. Strict: a number in quotes is not a number.

Each type carries its JSON Schema. Ids and whole numbers are brought into their one form before (jishi.contract.normal).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from jishi.contract.ids import ID_PATTERN, MAX_ID_CHARACTERS
from jishi.money import CURRENCY_DIGITS, MOST_MINOR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# ISO 8601 as RFC 3339 has it, and what many clients write: a space, no seconds, a comma, an offset without colon or minutes.
INSTANT_PATTERN = (
    "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]"
    "(?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)$"
)
CURRENCIES = CURRENCY_DIGITS.keys()
CURRENCY_PATTERN = f"^({'|'.join(sorted(CURRENCIES))})$"
NO_NUL_PATTERN = r"^[^\x00]*$"
_INSTANT = re.compile(INSTANT_PATTERN[:-1] + r"\Z")


def parse_instant(value: Any) -> datetime:
    """An instant from an ISO 8601 string with an offset (``2026-09-01T08:00:00.123+08:00`` or ``…Z``).

    Returns UTC, cut to milliseconds, the precision of the log. Raises ValueError for anything else, numbers included: a bare
    number does not say its unit.
    """
    if isinstance(value, datetime):
        instant = value
    elif isinstance(value, str) and _INSTANT.match(value):
        instant = datetime.fromisoformat(value.upper())
    elif isinstance(value, str) and _INSTANT.match(f"{value}Z"):
        raise ValueError("has no offset; add Z or +08:00, so that it means one instant everywhere")
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


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise PydanticCustomError("unknown_currency", "is not an ISO 4217 code in capitals, such as CNY, EUR or JPY")
    return value


_ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS, "pattern": ID_PATTERN}

# Named types, so that a JSON Schema says each rule once.
Instant = TypeAliasType(
    "Instant",
    Annotated[
        datetime,
        PlainValidator(parse_instant),
        WithJsonSchema({"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN}),
    ],
)
Id = TypeAliasType("Id", Annotated[StrictStr, WithJsonSchema(_ID_SCHEMA)])  # the rule itself: jishi.contract.normal
ShopId = Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = TypeAliasType("Text", Annotated[StrictStr, Field(max_length=2000, pattern=NO_NUL_PATTERN)])
Currency = TypeAliasType(
    "Currency",
    Annotated[
        StrictStr,
        AfterValidator(_currency),
        WithJsonSchema({"type": "string", "pattern": CURRENCY_PATTERN, "description": "ISO 4217 code"}),
    ],
)
MinorUnits = Annotated[StrictInt, Field(ge=0, lt=MOST_MINOR + 1, description="money in minor units (cents, 分)")]
Count = Annotated[StrictInt, Field(ge=0, lt=MOST_MINOR + 1)]
Positive = Annotated[StrictInt, Field(ge=1, lt=MOST_MINOR + 1)]
Flag = StrictBool


class EventPart(BaseModel):
    """Base of every part of an event: unknown fields are kept and do not break.

    A model's validator is built when it is first needed, because many processes import the contract and few check events.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
