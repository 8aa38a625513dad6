"""What every list may be asked by that is asked for in JSON, by the names of the query of a single list."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from jishi.money import MOST_MINOR
from jishi.rules.selection import ItemId, Value
from serving import filter_parameters as query
from serving.explained import Explain
from serving.item_filter import ItemFilter
from serving.request import VisitContext

_Price = Annotated[int | None, Field(ge=0, le=MOST_MINOR)]


class VisitIn(BaseModel):
    """By what and on what a list is looked at."""

    model_config = ConfigDict(extra="forbid")

    channel: ItemId | None = Field(None, description=query.CHANNEL)
    device: ItemId | None = Field(None, description=query.DEVICE)

    def visit(self, region: str | None) -> VisitContext:
        """What a ranker may see of it; the place is the request's region."""
        return VisitContext(self.channel, self.device, region)


class ListsIn(VisitIn):
    """Filters, what is left out, and what is said of the lists."""

    brand: list[Value] = Field(default_factory=list, max_length=100, description=query.BRAND)
    price_min: _Price = Field(None, description=query.PRICE_MIN)
    price_max: _Price = Field(None, description=query.PRICE_MAX)
    attribute: list[Value] = Field(default_factory=list, max_length=50, description=query.ATTRIBUTE)
    region: Value | None = Field(None, description=query.REGION)
    exclude_item_ids: list[ItemId] = Field(default_factory=list, max_length=100, description="items that no list may hold")
    exclude_purchased: bool | None = Field(None, description=query.EXCLUDE_PURCHASED)
    personalised: bool = Field(True, description="`false`: nothing that is stored of the shopper is used")
    explain: Explain = Field("none", description=query.EXPLAIN)

    def filter(self, *, category: list[str] | None = None, item_ids: tuple[str, ...] = ()) -> ItemFilter | None:
        """What the lists may hold; None for all. Raises RequestValidationError."""
        return query.chosen_filter(
            item_ids=item_ids,
            category=category,
            brand=self.brand,
            price_min=self.price_min,
            price_max=self.price_max,
            attribute=self.attribute,
            region=self.region,
        )
