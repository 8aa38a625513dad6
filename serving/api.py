"""The HTTP face of serving: parameters in, JSON out, errors in one shape. What to recommend is decided in ``recommend``."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from pydantic import StringConstraints
from starlette.exceptions import HTTPException as AnyHttpError

from jishi import __version__
from jishi.placements import ListPlacement
from serving import batch, category_order, preview
from serving.access import LIST_RESPONSES, REQUEST_ID, RESPONSES, allowed_shop, engine_of, persons_named
from serving.answers import ErrorBody, RecommendationsOut
from serving.body_limit import BodyLimit
from serving.docs import add_docs
from serving.engine import Engine
from serving.explained import Explain
from serving.filter_parameters import CHANNEL, DEVICE, EXCLUDE_PURCHASED, EXPLAIN, filter_of
from serving.item_filter import ItemFilter
from serving.known_parameters import refuse_unknown_parameters
from serving.list_route import ListRoute, new_request_id
from serving.readiness import readiness, shop_readiness
from serving.recommend import CatchingUp, NoRelease
from serving.request import Request, VisitContext
from serving.respond import respond
from serving.storefront.doors import Storefronts
from serving.storefront.routes import add_storefront

_RETRY_AFTER_S = 5
NO_RELEASE = (
    "this shop has no items yet: send item_changed, or jishi import items … --shop SHOP --work-up; until then show a list of "
    "your own. After 14 days with orders the DAG daily makes a model"
)
CATCHING_UP = (
    "changes of stock and status that came while serving was down are still being read; ask again, or show a list of your own"
)
_ROUTES = APIRouter()


def make_app(
    engine: Engine, storefronts: Storefronts | None = None, *, open_door: Callable[[], Awaitable[None]] | None = None
) -> FastAPI:
    """The application on an engine, which it starts and stops, with the storefronts that are open, if any is.

    No request is taken before ``open_door`` has ended.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        if open_door is not None:
            await open_door()
        yield
        engine.stop()

    app = FastAPI(
        title="Jishi recommendations",
        version=__version__,
        description="Recommendations for the shoppers of a shop, with the reason of each. One read key opens one shop.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own pages take their scripts from the internet
        redoc_url=None,
    )
    add_docs(app)
    app.state.engine = engine
    app.add_exception_handler(AnyHttpError, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_bad_parameter)
    app.add_exception_handler(NoRelease, _on_no_release)
    app.add_exception_handler(CatchingUp, _on_catching_up)
    app.add_exception_handler(Exception, _on_fault)
    app.add_middleware(BodyLimit)
    app.middleware("http")(_measure)
    app.add_middleware(ListRoute, engine=engine)  # outermost: what it answers, nobody else looks at
    app.include_router(_ROUTES)
    for part in (batch, category_order):
        app.include_router(part.ROUTES, dependencies=[Depends(refuse_unknown_parameters)])
    app.include_router(preview.ROUTES)
    if storefronts is not None:
        add_storefront(app, storefronts)
    return app


@_ROUTES.get(
    "/v1/shops/{shop_id}/recommendations",
    responses=LIST_RESPONSES,
    response_model_exclude_unset=True,
    dependencies=[Depends(refuse_unknown_parameters)],
    summary="Recommend items to a shopper",
    tags=["recommendations"],
)
def recommendations(
    http: HttpRequest,
    response: Response,
    shop_id: Annotated[str, Depends(allowed_shop)],
    user_id: Annotated[str | None, Query(min_length=1, max_length=200, description="the shopper after login")] = None,
    anonymous_id: Annotated[str | None, Query(min_length=1, max_length=200, description="the shopper before login")] = None,
    item_id: Annotated[
        str | None, Query(min_length=1, max_length=200, description="the item that the page is about; needed for `item`")
    ] = None,
    cart_item_id: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] | None,
        Query(min_length=1, max_length=100, description="items in the cart, the one put in last at the end; may repeat"),
    ] = None,
    order_id: Annotated[
        str | None, Query(min_length=1, max_length=200, description="the order just paid, for `after_payment`")
    ] = None,
    order_item_id: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] | None,
        Query(
            min_length=1,
            max_length=100,
            description="items of the order just paid; may repeat. Left out, they are those of `order_id`, or of the shopper's "
            "last order within 30 minutes, as soon as `order_paid` is in the log",
        ),
    ] = None,
    exclude_purchased: Annotated[
        bool | None,
        Query(description=EXCLUDE_PURCHASED),
    ] = None,
    only: Annotated[ItemFilter | None, Depends(filter_of)] = None,
    exclude_item_id: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] | None,
        Query(min_length=1, max_length=100, description="an item that the list may not hold; may repeat"),
    ] = None,
    personalised: Annotated[
        bool,
        Query(
            description="`false`: nothing that is stored of the shopper is used, only what this request says (the page's item, "
            "the cart, the order); so it is, too, for one whose last `consent_changed` forbade it"
        ),
    ] = True,
    channel: Annotated[str | None, Query(min_length=1, max_length=200, description=CHANNEL)] = None,
    device: Annotated[str | None, Query(min_length=1, max_length=200, description=DEVICE)] = None,
    explain: Annotated[Explain, Query(description=EXPLAIN)] = "none",
    why_not: Annotated[
        str | None, Query(min_length=1, max_length=200, description="an item: the answer says why it is not in the list")
    ] = None,
    placement: Annotated[ListPlacement, Query(description="where the list is shown")] = "home",
    limit: Annotated[int, Query(ge=1, le=100, description="most items in the answer")] = 20,
) -> RecommendationsOut:
    """A shopper whom nobody knows gets what is popular. The list never holds an item that is out of stock, not active, or of
    another shop, nor the page's own item or one of the cart, nor what was just paid and is not soon bought again."""
    if placement == "item" and item_id is None:
        message = "placement item needs the item of the page"
        raise RequestValidationError([{"type": "missing", "loc": ("query", "item_id"), "msg": message}])
    persons = persons_named(user_id, anonymous_id)
    cart = tuple(dict.fromkeys(cart_item_id or ()))
    paid = tuple(dict.fromkeys(order_item_id or ()))
    asked = Request(shop_id, placement, limit, persons, item_id, cart, paid, exclude_purchased)
    visit = VisitContext(channel, device, None if only is None else only.region)
    asked = replace(asked, only=only, excluded=tuple(exclude_item_id or ()), visit=visit)
    asked = asked if personalised else asked.of_nobody()
    return respond(http, response, asked, order_id=order_id, explains=explain == "full", why_not=why_not)


@_ROUTES.get(
    "/v1/shops/{shop_id}/readiness",
    responses={code: RESPONSES[code] for code in (401, 403, 422)},
    dependencies=[Depends(refuse_unknown_parameters)],
    summary="Can this shop be answered for, and with what?",
    tags=["operations"],
)
def show_readiness(http: HttpRequest, shop_id: Annotated[str, Depends(allowed_shop)]) -> JSONResponse:
    """The shop's release, its placements, the catalogue and their problems."""
    return JSONResponse(shop_readiness(engine_of(http), shop_id, time.time()))


@_ROUTES.get("/healthz", tags=["operations"], summary="Is the process alive?")
def healthz(http: HttpRequest) -> JSONResponse:
    """200 while every thread of the process runs; needs no release."""
    dead = engine_of(http).dead_threads()
    return JSONResponse({"status": "ok" if not dead else "broken", "dead_threads": dead}, 200 if not dead else 500)


@_ROUTES.get("/readyz", tags=["operations"], summary="Can any shop be answered for?")
def readyz(http: HttpRequest) -> JSONResponse:
    """200 when at least one shop can be answered for, else 503; the body reports on stream and store, and names no shop."""
    is_ready, body = readiness(engine_of(http))
    return JSONResponse(body, 200 if is_ready else 503)


@_ROUTES.get("/metrics", tags=["operations"], summary="Prometheus metrics")
def metrics(http: HttpRequest) -> Response:
    """Requests by status and rung; latency; release age; catalogue; stream; online store."""
    return Response(engine_of(http).metrics.page(), media_type="text/plain; version=0.0.4")


async def _measure(http: HttpRequest, call_next: Callable[[HttpRequest], Awaitable[Response]]) -> Response:
    started, status = time.perf_counter(), 500
    try:
        response = await call_next(http)
        status = response.status_code
        if http.url.path.startswith("/v1/"):
            for name, value in _named_answer().items():
                response.headers.setdefault(name, value)
        return response
    finally:
        served_by = getattr(http.state, "served_by", "")
        is_of_api = http.url.path.startswith("/v1/") and not http.url.path.endswith(("/readiness", "/rules/preview"))
        if is_of_api or served_by:  # a storefront's lists too
            engine_of(http).metrics.count(status, served_by or getattr(http.state, "lacks", ""), time.perf_counter() - started)


def _named_answer() -> dict[str, str]:
    """Headers of an answer that has none: an id to ask us about, and that nobody keeps it."""
    return {REQUEST_ID: new_request_id(), "Cache-Control": "no-store"}


async def _on_http_error(_: HttpRequest, error: Exception) -> JSONResponse:
    assert isinstance(error, AnyHttpError)
    detail: Any = error.detail
    if not isinstance(detail, dict):
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        detail = ErrorBody(code=code, message=f"{detail}; the paths are listed at /docs").model_dump()
    return JSONResponse({"error": detail}, error.status_code, headers=error.headers)


async def _on_bad_parameter(_: HttpRequest, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, *fields = first["loc"]  # after the field a list says which entry
    field = str(fields[0] if fields and first["type"] != "json_invalid" else where)
    body = ErrorBody(code="bad_parameter", field=field, message=f"{field}: {first['msg']}")
    return JSONResponse({"error": body.model_dump()}, 422)


async def _on_no_release(http: HttpRequest, _error: Exception) -> JSONResponse:
    http.state.lacks = "no_items"  # counted apart from failures of ours
    body = ErrorBody(code="no_release", message=NO_RELEASE)
    return JSONResponse({"error": body.model_dump()}, 503, {"Retry-After": str(_RETRY_AFTER_S)})


async def _on_catching_up(_: HttpRequest, _error: Exception) -> JSONResponse:
    body = ErrorBody(code="catching_up", message=CATCHING_UP)
    return JSONResponse({"error": body.model_dump()}, 503, {"Retry-After": "1"})


async def _on_fault(_: HttpRequest, _error: Exception) -> JSONResponse:
    """A fault of ours: the same shape for the caller; the traceback goes to the log."""
    body = ErrorBody(code="internal", message="this is our fault and is logged; ask again later")
    return JSONResponse({"error": body.model_dump()}, 500, _named_answer())
