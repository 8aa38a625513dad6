"""Whose word an event is: the right of the key that sent it, and what each right may say.

A page's key stands in the page for everybody to read, so whoever reads it can send. A page can therefore neither suppress nor
forge what a server sends: its events have ids of their own (``page:`` before the id that was sent; no id that is sent may begin
so), and what only the shop knows is refused from it. Each shop has one source of orders, its server unless it says otherwise;
orders of the other source are kept as claims and never counted, for streams that only append could not take them back.
An import is the operator's word and shares its ids with the server: history that overlaps with live events counts once.
"""

from __future__ import annotations

from typing import Literal

from jishi.contract.bounds import TOO_LARGE
from jishi.contract.events import Event
from jishi.contract.ids import IMPORT_PREFIX, PAGE_PREFIX
from jishi.contract.validation import NOT_FROM_A_PAGE, Refusal
from jishi.outcomes import CLAIM

Sender = Literal["server", "page", "import"]
OrderSource = Literal["server", "page"]

ORDERS = frozenset({"order_paid"})
# A page's price: 1,024 views at the largest amount of the contract would overflow a sum of 64 bits, of these eight million.
MOST_MINOR_OF_A_PAGE = 2**40
OF_THE_SHOP_ALONE = frozenset({"item_changed", "order_refunded"})


def refusal_of_sender(event: Event, sent_by: Sender, orders_from: OrderSource) -> Refusal | None:
    """Why a good event of this sender is not counted, if so."""
    event_type = event.type
    if sent_by != "import":
        for field in ("anonymous_id", "user_id"):
            if (getattr(event, field) or "").startswith(IMPORT_PREFIX):
                detail = f"{field} begins with {IMPORT_PREFIX!r}, which marks ids that an import made up"
                return Refusal("bad_id", field, detail)
    if sent_by == "page" and event_type in OF_THE_SHOP_ALONE:
        return Refusal(NOT_FROM_A_PAGE, "type", f"a page may not send {event_type}; send it from the shop's server")
    price = event.properties.__dict__.get("unit_price_minor")
    if sent_by == "page" and price is not None and price > MOST_MINOR_OF_A_PAGE:
        detail = f"a page's unit_price_minor is at most {MOST_MINOR_OF_A_PAGE}; is the price in minor units?"
        return Refusal(TOO_LARGE, "properties.unit_price_minor", f"{detail} got {price}")
    if event_type in ORDERS and sent_by not in (orders_from, "import"):
        detail = f"the orders of this shop come from its {orders_from}; this one is kept as a claim and not counted"
        return Refusal(CLAIM, "type", detail)
    return None


def recorded_id(event_id: str | None, sent_by: Sender) -> str | None:
    """The id of a record: unique among all that send for the shop."""
    return f"{PAGE_PREFIX}{event_id or ''}" if sent_by == "page" else event_id


def sent_id(event_id: str | None) -> str | None:
    """The id that was sent, from a record's."""
    return (event_id.removeprefix(PAGE_PREFIX) or None) if event_id else event_id


def sender_of(event_id: str | None) -> Sender:
    """Who sent a record that came live, as its id says."""
    return "page" if event_id is not None and event_id.startswith(PAGE_PREFIX) else "server"
