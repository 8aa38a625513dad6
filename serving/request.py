"""What is asked of serving, checked already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from jishi.contract.ids import normal_id_or_none
from jishi.placements import Placement
from serving.catalogue import Item
from serving.item_filter import ItemFilter
from serving.shelf import Shelf

AS_HOME = ("search_empty", "category")  # placements that no release has a model of: they ask what home asks


class VisitContext(NamedTuple):
    """What a request says of the visit: channel, device, and place (its ``region``); None for what it does not say."""

    channel: str | None = None
    device: str | None = None
    place: str | None = None


NO_CONTEXT = VisitContext()


@dataclass(frozen=True)
class Request:
    """What is asked, checked already. ``persons`` are the person ids that the storefront knows, user first.

    ``cart`` are the items in the cart, the one put in last at the end; empty where the storefront does not send them. ``order``
    are the items just paid. ``excludes_purchased``: True leaves out everything that the persons are known to have bought, None
    what was just paid unless it is soon bought again, False nothing. ``bought`` are items that they bought since the release,
    for None those of the last half hour.
    ``is_opted_out``: the person forbade personalised answers, so that the request names nobody.
    ``only``: which items the list may hold at all; ``excluded``: ids that it may not;
    ``category``: that of a category's page, where the whole choice of ``only`` is to be put in order. ``visit``: what a ranker
    may see of it.
    """

    shop_id: str
    placement: Placement
    limit: int
    persons: tuple[str, ...] = ()
    item_id: str | None = None
    cart: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    excludes_purchased: bool | None = None
    bought: frozenset[str] = frozenset()
    is_opted_out: bool = False
    only: ItemFilter | None = None
    excluded: tuple[str, ...] = ()
    category: str | None = None
    visit: VisitContext = NO_CONTEXT

    def __post_init__(self) -> None:
        """Items by ids in the form that events and the catalogue have them in; a text that is no id stays and names nothing."""
        if self.item_id is not None:
            object.__setattr__(self, "item_id", normal_id_or_none(self.item_id) or self.item_id)
        for name in ("cart", "order", "excluded"):
            if item_ids := getattr(self, name):
                object.__setattr__(
                    self, name, tuple(dict.fromkeys(normal_id_or_none(item_id) or item_id for item_id in item_ids))
                )

    @property
    def question(self) -> Placement:
        """The placement whose model answers."""
        return "home" if self.placement in AS_HOME else self.placement

    @property
    def page_category(self) -> str | None:
        """The category that the page is about: its own, or the only one that the filters name."""
        if self.category is not None:
            return self.category
        categories = () if self.only is None else self.only.selection.categories
        return categories[0] if len(categories) == 1 else None

    def of_nobody(self) -> Request:
        """The request without its person: what it says itself may be used, what is stored of the person may not."""
        return replace(self, persons=(), is_opted_out=True)

    def takes(self, item: Item) -> bool:
        """Whether the filters of the request let an item through, as the catalogue knows it now."""
        return self.only is None or self.only.takes(item)

    def shown_not(self, shelf: Shelf) -> set[str]:
        """Ids that the list may not hold: excluded ones, the page's, the cart's, and what was bought as
        ``excludes_purchased`` says.
        """
        hidden = {*self.excluded, *self.cart, *([] if self.item_id is None else [self.item_id])}
        if self.excludes_purchased:
            learnt = (int(number) for person in self.persons for number in shelf.model.purchases(person))
            return hidden | self.bought | {*self.order} | {shelf.model.item_ids[number] for number in learnt}
        if self.excludes_purchased is None:
            again, paid = shelf.model.is_bought_again, self.bought.union(self.order)
            hidden |= {each for each in paid if (number := shelf.number_of.get(each)) is None or not again[number]}
        return hidden
