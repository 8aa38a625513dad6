"""What stands before every address of a shop: the engine, and whose key or pass opens it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import Header, HTTPException, Path
from fastapi.requests import Request as HttpRequest

from jishi.contract.ids import normal_id_or_none
from jishi.identity import named_person
from jishi.rules.preview_passes import PREFIX, PreviewPasses
from serving.answers import ErrorBody, ErrorOut
from serving.engine import Engine
from serving.keys import ForeignShop, Unauthorised

_ShopId = Annotated[str, Path(description="the shop of the key")]
_Authorization = Annotated[str | None, Header(description="`Bearer <read key of the shop>`")]
REQUEST_ID = "X-Request-ID"
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorOut, "description": "No key, or not a read key of any shop."},
    403: {
        "model": ErrorOut,
        "description": "A good key, but of another shop than the path's; the same answer whether that shop exists or not.",
    },
    422: {"model": ErrorOut, "description": "A parameter is wrong, or unknown; `field` names it."},
    503: {
        "model": ErrorOut,
        "description": "The shop has no items yet, or serving has just started and still reads what "
        "was sold out meanwhile; ask again after `Retry-After`.",
    },
}


def responses(request_id: str) -> dict[int | str, dict[str, Any]]:
    """The answers of an address of lists; ``request_id`` says what its header names."""
    header = {"description": request_id, "schema": {"type": "string"}}
    return RESPONSES | {200: {"headers": {REQUEST_ID: header}}}


LIST_RESPONSES = responses("id of this answer: send it back in `recommendation_shown` and `recommendation_clicked`")


def engine_of(http: HttpRequest) -> Engine:
    """The engine of the application."""
    engine: Engine = http.app.state.engine
    return engine


def allowed_shop(http: HttpRequest, shop_id: _ShopId, authorization: _Authorization = None) -> str:
    """The path's shop, when the key opens it. Asked before any parameter is looked at."""
    try:
        http.state.shop_id = engine_of(http).keys.authorise(authorization, shop_id).shop_id
    except Unauthorised as error:
        body = ErrorBody(code="unauthorised", message=str(error))
        raise HTTPException(401, body.model_dump(), {"WWW-Authenticate": "Bearer"}) from None
    except ForeignShop as error:
        body = ErrorBody(code="foreign_shop", field="shop_id", message=str(error))
        raise HTTPException(403, body.model_dump()) from None
    return shop_id


def shop_to_preview(http: HttpRequest, shop_id: _ShopId, authorization: _Authorization = None) -> str:
    """The path's shop, when its read key opens it, or a pass that this platform gave out."""
    _, _, text = (authorization or "").partition(" ")
    if text.startswith(PREFIX) and PreviewPasses.of(engine_of(http).paths).opens(text.strip(), shop_id, time.time()):
        return shop_id
    return allowed_shop(http, shop_id, authorization)


def persons_named(user_id: str | None, anonymous_id: str | None) -> tuple[str, ...]:
    """The person ids of a shopper, the user's first; by ids in the form that events have them in."""
    named = (named_person(normal_id_or_none(user_id), None), named_person(None, normal_id_or_none(anonymous_id)))
    return tuple([person for person in named if person is not None])
