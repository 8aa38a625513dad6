"""The lists of placements without the framework: the common request is read by hand and answered at once.

It stands before the application and answers what it is sure of: a GET of a shop's recommendations with a good key and plain
parameters. Everything else, and every error, is the application's: it answers the same (a test compares both). A request that
has to wait for the online store, or takes long, is answered on a thread, so that it holds up nobody else; most others have been
answered by ``serving.list_protocol`` before they come here.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from jishi.placements import LIST_PLACEMENTS
from serving.access import REQUEST_ID, persons_named
from serving.engine import Engine
from serving.event_loop import NeedsThread, without_store
from serving.features.online_store import READERS, TURN_S
from serving.keys import ForeignShop, ReadKeys, Unauthorised
from serving.recommend import Answer, CatchingUp, NoRelease
from serving.request import Request, VisitContext

_BEFORE, _AFTER = "/v1/shops/", "/recommendations"
_IDS = frozenset({"user_id", "anonymous_id", "item_id", "order_id"})
_ONE = _IDS | {"placement", "limit", "personalised", "exclude_purchased", "channel", "device"}
_MANY = frozenset({"cart_item_id", "order_item_id", "exclude_item_id"})
_BOOLEANS = {"true": True, "false": False}
_MOST_LETTERS, _MOST_VALUES, _MOST_ITEMS = 200, 100, 100
_THREADS = READERS
ON_THREAD = "jishi.on_thread"  # in a scope the id of the answer that, as was seen already, needs a thread
_REQUEST_ID = REQUEST_ID.lower().encode()


class ListRoute:
    """ASGI middleware; ``engine`` answers."""

    def __init__(self, app: ASGIApp, engine: Engine) -> None:
        self._app, self._engine = app, engine
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="list")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        started = time.perf_counter()
        asked = self._read(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        if asked is None:
            await self._app(scope, receive, send)
            return
        request, order_id = asked
        request_id: str = scope.get(ON_THREAD) or new_request_id()
        answer_it: Callable[[], Answer] = partial(self._engine.answer, request, request_id, order_id)
        try:
            needs_thread = ON_THREAD in scope or self._engine.recent.asks_store(request.shop_id, request.persons)
            answer = await self._answer(answer_it, needs_thread=needs_thread)
            body = list_json(request, answer)
        except (NoRelease, CatchingUp):
            await self._app(scope, receive, send)
            return
        except Exception:  # the application's outermost layer answers it; here it is counted
            self._engine.metrics.count(500, "", time.perf_counter() - started)
            raise
        await send({"type": "http.response.start", "status": 200, "headers": headers_of(body, request_id)})
        await send({"type": "http.response.body", "body": body})
        self._engine.metrics.count(200, answer.served_by, time.perf_counter() - started)

    async def _answer(self, answer_it: Callable[[], Answer], *, needs_thread: bool) -> Answer:
        """At once where nothing is waited for, else on a thread; where a slow store has taken all of them, without it."""
        if not needs_thread:
            with suppress(NeedsThread):
                return answer_it()
        on_thread = self._threads.submit(answer_it)
        answer = asyncio.wrap_future(on_thread)
        await asyncio.wait([answer], timeout=TURN_S)
        if on_thread.cancel():  # it has not begun
            with suppress(NeedsThread), without_store():
                return answer_it()
            answer = asyncio.wrap_future(self._threads.submit(answer_it))
        return await answer

    def _read(self, scope: Scope) -> tuple[Request, str | None] | None:
        if b"%" in scope.get("raw_path", b""):
            return None
        return plain_request(self._engine.keys, scope["path"], scope["query_string"], scope["headers"])


def plain_request(
    keys: ReadKeys, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> tuple[Request, str | None] | None:
    """The request of a path without escapes and the order that it names; None where the application has to look. Names of
    ``headers`` are in lower case.
    """
    if not path.startswith(_BEFORE) or not path.endswith(_AFTER):
        return None
    shop_id = path[len(_BEFORE) : -len(_AFTER)]
    authorizations = [value for name, value in headers if name == b"authorization"]
    parameters = parameters_of(query)
    if not shop_id or "/" in shop_id or len(authorizations) != 1 or parameters is None:
        return None
    try:
        keys.authorise(authorizations[0].decode("latin-1"), shop_id)
    except (Unauthorised, ForeignShop):
        return None
    return _request(shop_id, parameters)


def new_request_id() -> str:
    """An id for an answer; clients send it back with what was shown."""
    return uuid.uuid4().hex


def headers_of(body: bytes, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer."""
    return [
        (b"content-length", b"%d" % len(body)),
        (b"content-type", b"application/json"),
        (_REQUEST_ID, request_id.encode()),
        (b"cache-control", b"no-store"),
    ]


def parameters_of(query: bytes) -> dict[str, Any] | None:
    """Plain parameters, checked, those that may repeat as tuples; None where one is unknown, empty, repeated or wrong."""
    try:
        pairs = pairs_of(query.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        return None
    read: dict[str, Any] = {}
    for name, text in pairs:
        if not 0 < len(text) <= _MOST_LETTERS:
            return None
        if name in _MANY:
            read[name] = (*read.get(name, ()), text)
            if len(read[name]) > _MOST_VALUES:
                return None
        elif name in _ONE and name not in read:
            read[name] = text
        else:
            return None
    for name in ("personalised", "exclude_purchased"):
        if name in read:
            read[name] = _BOOLEANS.get(read[name])
            if read[name] is None:
                return None
    limit = read.setdefault("limit", "20")
    read["limit"] = int(limit) if limit.isascii() and limit.isdigit() and len(limit) <= 3 else 0
    is_known = read.setdefault("placement", "home") in LIST_PLACEMENTS and 1 <= read["limit"] <= _MOST_ITEMS
    return read if is_known and (read["placement"] != "item" or "item_id" in read) else None


def pairs_of(query: str) -> list[tuple[str, str]]:
    """Names and values of a query. Raises UnicodeDecodeError and ValueError."""
    if "%" in query or "+" in query:
        return parse_qsl(query, keep_blank_values=True, errors="strict")
    pairs = (part.partition("=") for part in query.split("&") if part)
    return [(name, value) for name, _, value in pairs]


def _request(shop_id: str, query: dict[str, Any]) -> tuple[Request, str | None]:
    asked = Request(
        shop_id,
        query["placement"],
        query["limit"],
        persons_named(query.get("user_id"), query.get("anonymous_id")),
        query.get("item_id"),
        tuple(dict.fromkeys(query.get("cart_item_id", ()))),
        tuple(dict.fromkeys(query.get("order_item_id", ()))),
        query.get("exclude_purchased"),
        excluded=query.get("exclude_item_id", ()),
        visit=VisitContext(query.get("channel"), query.get("device")),
    )
    return asked if query.get("personalised", True) else asked.of_nobody(), query.get("order_id")


def list_json(request: Request, answer: Answer) -> bytes:
    """The body of an answer, as ``serving.answers`` describes it."""
    different = {id(reason): reason for _, _, reason, _ in answer.items}  # many items share one
    reasons = {
        key: {"code": code, "zh": zh, "en": en, "because_item_id": cause} for key, (code, zh, en, cause) in different.items()
    }
    payload: dict[str, Any] = {
        "shop_id": request.shop_id,
        "placement": request.placement,
        "served_by": answer.served_by,
        "model": answer.model,
        "model_version": answer.model_version,
        "items": [
            {
                "item_id": item.item_id,
                "title": item.title,
                "title_en": item.title_en,
                "category": item.category,
                "unit_price_minor": item.unit_price_minor,
                "currency": item.currency,
                "score": score,
                "reason": reasons[id(reason)],
            }
            for item, score, reason, _ in answer.items
        ],
    }
    if answer.rules is not None and answer.rules.shop.version is not None:
        payload["rules_version"] = answer.rules.shop.version
    return orjson.dumps(payload)
