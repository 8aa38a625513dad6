"""One list over HTTP: answered under an id of its own, which the headers name."""

from __future__ import annotations

import uuid

from fastapi.requests import Request as HttpRequest
from fastapi.responses import Response

from serving.access import REQUEST_ID, engine_of
from serving.answers import RecommendationsOut, answer_out
from serving.request import Request


def respond(
    http: HttpRequest,
    response: Response,
    asked: Request,
    *,
    order_id: str | None = None,
    explains: bool = False,
    why_not: str | None = None,
) -> RecommendationsOut:
    """The answer to a request as the API gives it; ``why_not`` names an item. Raises NoRelease and CatchingUp."""
    request_id = uuid.uuid4().hex
    answer = engine_of(http).answer(asked, request_id, order_id)
    http.state.served_by = answer.served_by
    response.headers[REQUEST_ID] = request_id
    response.headers["Cache-Control"] = "no-store"
    why = None if why_not is None else engine_of(http).why_not(why_not, asked, answer)
    return answer_out(asked.shop_id, asked.placement, answer, explains=explains, why=why)
