"""No body is read beyond a bound: a body is read before anybody asks whose key came with it."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.answers import ErrorBody

MOST_BYTES = 4 * 2**20  # a category's page of a thousand long ids takes 2.4 MB


class BodyLimit:
    """Answers 413 where a body is declared larger than ``most`` bytes, or turns out to be."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app, self._most = app, most
        message = f"the body is larger than {most} bytes; send fewer items or rules at once"
        self._error = ErrorBody(code="too_many_bytes", field="body", message=message).model_dump()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self._most):
            await JSONResponse({"error": self._error}, 413)(scope, receive, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise HTTPException(413, self._error)
            return message

        await self._app(scope, bounded, send)
