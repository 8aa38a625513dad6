"""What a merchant's own segment is: a rule over customers, kept as it was chosen and evaluated anew on each build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from dashboard.portal.shop_marts import Among, Condition

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0, le=100_000)]
LISTS = frozenset({"segments", "layers"})


class SegmentRule(BaseModel):
    """Customers who hold all that is said; what is left out restricts nothing.

    Days are from the last order of which something was kept to the shop's last known day, orders are paid ones.
    ``first_channel`` is that of a customer's first order, ``category`` one of an item ever bought.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    segments: tuple[Name, ...] = Field((), max_length=30)
    layers: tuple[Name, ...] = Field((), max_length=30)
    days_at_least: Count | None = None
    days_at_most: Count | None = None
    orders_at_least: Count | None = None
    orders_at_most: Count | None = None
    category: Name | None = None
    first_channel: Name | None = None

    @model_validator(mode="after")
    def _are_in_order(self) -> SegmentRule:
        """Nobody is between 90 and 30 days."""
        for low, high in ((self.days_at_least, self.days_at_most), (self.orders_at_least, self.orders_at_most)):
            if low is not None and high is not None and low > high:
                raise ValueError("at least is more than at most")
        return self

    @classmethod
    def of_query(cls, parameters: Mapping[str, list[str]]) -> SegmentRule:
        """The rule of an address; empty fields are left out. Raises ValidationError, which names the field."""
        given = {name: [text.strip() for text in texts if text.strip()] for name, texts in parameters.items()}
        fields = {
            name: texts if name in LISTS else texts[0] for name, texts in given.items() if texts and name in cls.model_fields
        }
        return cls.model_validate(fields)

    def as_query(self) -> dict[str, object]:
        """As parameters of an address."""
        return self.model_dump(exclude_none=True, exclude_defaults=True)

    def conditions(self) -> list[Condition]:
        """As conditions on ``dim_customers``; who is no customer by the shop's rules is in no segment."""
        conditions = [Condition("excluded_reason", "is null", None)]
        conditions += [Condition("segment", "in", list(self.segments))] if self.segments else []
        conditions += [Condition("layer", "in", list(self.layers))] if self.layers else []
        for column, low, high in (
            ("recency_days", self.days_at_least, self.days_at_most),
            ("orders", self.orders_at_least, self.orders_at_most),
        ):
            conditions += [Condition(column, ">=", low)] if low is not None else []
            conditions += [Condition(column, "<=", high)] if high is not None else []
        if self.category is not None:
            items = Among("dim_items", "item_id", (Condition("category", "=", self.category),))
            orders = Among("fct_order_items", "order_id", (Condition("item_id", "in", items),))
            conditions.append(
                Condition("person_id", "in", Among("fct_orders", "person_id", (Condition("order_id", "in", orders),)))
            )
        if self.first_channel is not None:
            first = (Condition("order_number", "=", 1), Condition("channel", "=", self.first_channel))
            conditions.append(Condition("person_id", "in", Among("fct_orders", "person_id", first)))
        return conditions
