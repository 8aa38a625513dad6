"""The addresses of the storefronts: pages, files, and what the page asks. All of them are public, rate limited, and there only
while an operator has opened a storefront; a shop without one is answered as if it did not exist.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape
from pydantic import StringConstraints

from jishi.money import CURRENCY_DIGITS
from jishi.placements import ListPlacement
from jishi.rules.selection import Selection
from jishi.shops import Shop
from serving.access import engine_of, persons_named
from serving.answers import ErrorBody, RecommendationsOut
from serving.catalogue import Catalogue, Item
from serving.item_filter import ItemFilter
from serving.request import Request, VisitContext
from serving.respond import respond
from serving.storefront.doors import Storefronts
from serving.storefront.overview import Overviews

_FOLDER = Path(__file__).parent / "files"
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_TEMPLATES = Environment(loader=FileSystemLoader(_FOLDER), autoescape=select_autoescape(default=True))
MOST, SHOPPERS = 24, 8  # items of a list; shoppers of the choice
_ROUTES = APIRouter(include_in_schema=False)
_Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Ids = Annotated[list[_Id] | None, Query(max_length=100)]


def add_storefront(app: FastAPI, storefronts: Storefronts) -> None:
    """Open the storefronts: their pages, their files and what these ask."""
    app.state.storefronts, app.state.overviews = storefronts, Overviews()
    for file in sorted(_FOLDER.iterdir()):
        if file.suffix in _TYPES:
            app.add_route(f"/storefront-files/{file.name}", _asset(file), include_in_schema=False)
    app.include_router(_ROUTES)


def _asset(file: Path) -> Any:
    content, media_type = file.read_bytes(), _TYPES[file.suffix]
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}

    def asset(_: HttpRequest) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return asset


def _let_pass(http: HttpRequest, shop_id: str) -> None:
    peer, forwarded = "" if http.client is None else http.client.host, ",".join(http.headers.getlist("X-Forwarded-For"))
    wait_s = _doors(http).wait_s(_doors(http).address_of(peer, forwarded), shop_id)
    if wait_s:
        body = ErrorBody(code="too_many_requests", message="this storefront is asked too often; wait a moment")
        raise HTTPException(429, body.model_dump(), {"Retry-After": str(math.ceil(wait_s))})


def open_shop(http: HttpRequest, shop_id: str) -> Shop:
    """The path's shop, if its storefront is open and is not asked too often; else 404 or 429."""
    shop = engine_of(http).keys.shop(shop_id)
    is_open = shop is not None and _doors(http).key_of(engine_of(http).keys, shop_id) is not None
    _let_pass(http, shop_id if is_open else "")
    if shop is None or not is_open:
        body = ErrorBody(code="not_found", message="no storefront is open here; /storefront lists those that are")
        raise HTTPException(404, body.model_dump())
    return shop


def visitor_persons(
    http: HttpRequest,
    anonymous_id: Annotated[_Id | None, Query()] = None,
    user_id: Annotated[_Id | None, Query()] = None,
    personalised: bool = True,
) -> tuple[str, ...] | None:
    """Person ids of the visitor; None for one who wants nothing personal. A user must be one of the made-up shoppers: the page
    is public, and lists tell of those whom they are for."""
    if user_id is not None and user_id not in _doors(http).shoppers:
        message = "a visitor is nobody, or one of the shoppers of JISHI_STOREFRONT_SHOPPERS"
        raise RequestValidationError([{"type": "value_error", "loc": ("query", "user_id"), "msg": message}])
    return persons_named(user_id, anonymous_id) if personalised else None


def visit_context(
    channel: Annotated[_Id | None, Query()] = None, device: Annotated[_Id | None, Query()] = None
) -> VisitContext:
    """By what the visitor came, as the tracker says it."""
    return VisitContext(channel, device)


_Shop = Annotated[Shop, Depends(open_shop)]
_Persons = Annotated[tuple[str, ...] | None, Depends(visitor_persons)]
_Visit = Annotated[VisitContext, Depends(visit_context)]


@_ROUTES.get("/storefront")
def index(http: HttpRequest) -> Response:
    """The storefronts that are open."""
    _let_pass(http, "")
    return _page(http, "index.html", shops=_doors(http).open_shops(engine_of(http).keys))


@_ROUTES.get("/storefront/{shop_id}")
def page(http: HttpRequest, shop: _Shop) -> Response:
    """The storefront of a shop, whose scripts ask for the rest."""
    doors = _doors(http)
    key = doors.key_of(engine_of(http).keys, shop.shop_id)
    return _page(http, "page.html", shop=shop, key=key, collector=doors.collector)


@_ROUTES.get("/storefront/{shop_id}/shop")
def overview(http: HttpRequest, shop: _Shop) -> JSONResponse:
    """Categories with their numbers of items, what is new, digits of the currencies, and shoppers whom a visitor may be."""
    state = engine_of(http).states.find(shop.shop_id)
    summary = _overviews(http).of(shop.shop_id, state.catalogue)
    is_known = (lambda _: False) if state.shelf is None else _knows(state.shelf.model)
    body = {
        "categories": [{"category": name, "items": count} for name, count in summary.counts.items()],
        "new": _cards(state.catalogue, summary.newest),
        "minor_digits": {currency: CURRENCY_DIGITS.get(currency, 2) for currency in {*summary.currencies, shop.currency}},
        "shoppers": [user_id for user_id in _doors(http).shoppers if is_known(user_id)][:SHOPPERS],
    }
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@_ROUTES.get("/storefront/{shop_id}/item")
def item(http: HttpRequest, shop: _Shop, item_id: Annotated[_Id, Query()]) -> JSONResponse:
    """An item as the catalogue knows it now."""
    known = engine_of(http).states.find(shop.shop_id).catalogue.get(item_id)
    if known is None:
        raise HTTPException(404, ErrorBody(code="not_found", field="item_id", message="no such item").model_dump())
    return JSONResponse(_card(known), headers={"Cache-Control": "no-store"})


@_ROUTES.get("/storefront/{shop_id}/recommendations", response_model_exclude_unset=True)
def recommendations(
    http: HttpRequest,
    response: Response,
    shop: _Shop,
    persons: _Persons,
    visit: _Visit,
    placement: ListPlacement = "home",
    item_id: Annotated[_Id | None, Query()] = None,
    cart_item_id: _Ids = None,
    order_item_id: _Ids = None,
    why_not: Annotated[_Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 12,
) -> RecommendationsOut:
    """A list for the visitor with ``explain=full``; ``why_not`` is an item."""
    if placement == "item" and item_id is None:
        message = "placement item needs the item of the page"
        raise RequestValidationError([{"type": "missing", "loc": ("query", "item_id"), "msg": message}])
    cart, paid = tuple(dict.fromkeys(cart_item_id or ())), tuple(dict.fromkeys(order_item_id or ()))
    asked = Request(shop.shop_id, placement, limit, persons or (), item_id, cart, paid, visit=visit)
    asked = asked.of_nobody() if persons is None else asked
    return respond(http, response, asked, explains=True, why_not=why_not)


@_ROUTES.get("/storefront/{shop_id}/category", response_model_exclude_unset=True)
def category_page(
    http: HttpRequest, response: Response, shop: _Shop, persons: _Persons, visit: _Visit, category: Annotated[_Id, Query()]
) -> RecommendationsOut:
    """The items of a category in the order for the visitor: the best that a page has room for."""
    catalogue = engine_of(http).states.find(shop.shop_id).catalogue
    items = _overviews(http).of(shop.shop_id, catalogue).by_category.get(category, ())
    if not items:
        raise HTTPException(404, ErrorBody(code="not_found", field="category", message="no such category").model_dump())
    only = ItemFilter(Selection(item_ids=items))
    asked = Request(shop.shop_id, "category", MOST, persons or (), only=only, category=category, visit=visit)
    return respond(http, response, asked.of_nobody() if persons is None else asked, explains=True)


def _doors(http: HttpRequest) -> Storefronts:
    storefronts: Storefronts = http.app.state.storefronts
    return storefronts


def _overviews(http: HttpRequest) -> Overviews:
    overviews: Overviews = http.app.state.overviews
    return overviews


def _knows(model: Any) -> Any:
    """Whether a release knows purchases of a user."""
    return lambda user_id: len(model.purchases(persons_named(user_id, None)[0])) > 0


def _cards(catalogue: Catalogue, item_ids: tuple[str, ...]) -> list[dict[str, Any]]:
    items = (catalogue.get(item_id) for item_id in item_ids)
    return [_card(item) for item in items if item is not None and item.is_sellable]


def _card(item: Item) -> dict[str, Any]:
    names = ("item_id", "title", "title_en", "category", "brand", "unit_price_minor", "currency", "is_sellable")
    return {name: getattr(item, name) for name in names}


def _page(http: HttpRequest, template: str, **values: Any) -> Response:
    elsewhere = _doors(http).collector
    policy = (
        f"default-src 'none'; script-src 'self' {elsewhere}; connect-src 'self' {elsewhere}; style-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return Response(_TEMPLATES.get_template(template).render(**values), media_type="text/html", headers=headers)
