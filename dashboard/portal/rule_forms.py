"""What a shop may set, as fields of a form: which there are, how a value is written, and what the form makes of the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

Rules = TypeVar("Rules", bound=BaseModel)


@dataclass(frozen=True)
class RuleField:
    """One setting. ``title`` is a text of words; ``is_list``: several numbers, as 90, 60, 30, 7; money is in major units."""

    name: str
    title: str
    unit: Literal["days", "orders", "pieces", "money", "score", "hour"]
    is_list: bool = False


CUSTOMER_FIELDS = (
    RuleField("new_days", "A first order makes a customer new for", "days"),
    RuleField("active_days", "Silent when the last order is longer ago than", "days"),
    RuleField("silent_days", "Asleep when it is longer ago than", "days"),
    RuleField("asleep_days", "Lost when it is longer ago than", "days"),
    RuleField("high_value_score", "High value from the spend score", "score"),
    RuleField("recency_days", "Days since the last order for the scores 2, 3, 4, 5", "days", is_list=True),
    RuleField("orders", "Orders for the scores 2, 3, 4, 5", "orders", is_list=True),
    RuleField("spent_minor", "Spend for the scores 2, 3, 4, 5", "money", is_list=True),
)
ITEM_FIELDS = (
    RuleField("restock_units_30d", "To be restocked from so many sold in 30 days", "pieces"),
    RuleField("restock_cover_days", "and a stock that lasts for less than", "days"),
    RuleField("slow_days", "Slow mover when listed for at least", "days"),
    RuleField("slow_cover_days", "and a stock that lasts for more than", "days"),
    RuleField("price_bounds_minor", "Lowest prices of the price bands after the first", "money", is_list=True),
)
QUIET_FIELDS = (
    RuleField("begins", "Quiet from (hour)", "hour"),
    RuleField("ends", "Quiet until (hour)", "hour"),
)


class BadSetting(ValueError):
    """A setting that cannot hold; ``field`` is None where several do not go together."""

    def __init__(self, field: RuleField | None) -> None:
        super().__init__(field.name if field else "the days of the layers")
        self.field = field


def written(rules: BaseModel | None, field: RuleField, digits: int) -> str:
    """A setting as the form shows it; empty where it is not set: derived from the shop, or none."""
    value = None if rules is None else getattr(rules, field.name)
    numbers = [] if value is None else value if field.is_list else [value]
    return ", ".join(f"{Decimal(number).scaleb(-digits):f}" if field.unit == "money" else f"{number}" for number in numbers)


def rules_of_form(rules: Rules, fields: Sequence[RuleField], form: Mapping[str, str], digits: int) -> Rules:
    """The rules with what a form sets; an empty field is what the rules are without it. Raises BadSetting."""
    names = {field.name for field in fields}
    return rules_from(type(rules), fields, form, digits, rules.model_dump(exclude=names))


def rules_from(
    kind: type[Rules], fields: Sequence[RuleField], form: Mapping[str, str], digits: int, kept: Mapping[str, Any] | None = None
) -> Rules:
    """Rules of what a form sets and, of what it does not show, ``kept``. Raises BadSetting."""
    by_name = {field.name: field for field in fields}
    values = dict(kept or {})
    values |= {name: _read(field, text, digits) for name, field in by_name.items() if (text := form.get(name, "").strip())}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        [first, *_] = error.errors()
        message = first["msg"].removeprefix("Value error, ")
        named = [name for name in by_name if name in first["loc"] or message.startswith(f"{name} has to ")]
        raise BadSetting(by_name[named[0]] if named else None) from None


def _read(field: RuleField, text: str, digits: int) -> Any:
    try:
        parts = [Decimal(part.strip()) for part in text.replace("，", ",").split(",")] if field.is_list else [Decimal(text)]
        numbers = [part.scaleb(digits if field.unit == "money" else 0) for part in parts]
        if any(number != int(number) or abs(number) > 10**15 for number in numbers):
            raise BadSetting(field)
    except (InvalidOperation, ValueError, OverflowError):
        raise BadSetting(field) from None
    return [int(number) for number in numbers] if field.is_list else int(numbers[0])
