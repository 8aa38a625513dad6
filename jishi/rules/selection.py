"""Which items of a catalogue are meant: conditions, all of which must hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jishi.contract.fields import MinorUnits
from jishi.contract.ids import normal_id_or_none

MOST_VALUES = 1_000
ItemId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# An item's id as events and the catalogue have it, however it is spelt; a text that is no id stays and names nothing.
NormalItemId = Annotated[ItemId, AfterValidator(lambda text: normal_id_or_none(text) or text)]
Value = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Selection(BaseModel):
    """Items for which every condition that is given holds; of the values of one condition any will do.

    Prices are in minor units of the shop's home currency, both bounds inclusive. What the catalogue does not know of an item
    (its brand, an attribute, a price without a rate) meets no condition.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    item_ids: Annotated[tuple[NormalItemId, ...], AfterValidator(lambda ids: tuple(dict.fromkeys(ids)))] = Field(
        (), max_length=MOST_VALUES
    )
    categories: tuple[Value, ...] = Field((), max_length=MOST_VALUES)
    brands: tuple[Value, ...] = Field((), max_length=MOST_VALUES)
    attributes: dict[Value, tuple[Value, ...]] = Field(default_factory=dict, max_length=50)
    price_min_minor: MinorUnits | None = None
    price_max_minor: MinorUnits | None = None

    @model_validator(mode="after")
    def _prices_are_a_range(self) -> Selection:
        """The lower bound is not above the upper one."""
        low, high = self.price_min_minor, self.price_max_minor
        if low is not None and high is not None and low > high:
            raise ValueError(f"price_min_minor ({low}) is above price_max_minor ({high}); swap them")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether no condition is given, so that every item is meant."""
        has_price = self.price_min_minor is not None or self.price_max_minor is not None
        return not (self.item_ids or self.categories or self.brands or self.attributes or has_price)
