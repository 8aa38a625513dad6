"""What the intake says when it takes nothing: a code for machines, and a sentence that names the field and the fix."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response


class RequestRefused(Exception):
    """The whole request is refused; no event of it was accepted.

    ``code`` is stable, ``field`` names the header or the place in the body, ``message`` says what to do. ``retry_after_s`` is
    there when the same request may pass later; ``index`` is the event at fault, counted from 0.
    """

    def __init__(
        self, status: int, code: str, field: str, message: str, *, retry_after_s: int | None = None, index: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field
        self.message = message
        self.retry_after_s = retry_after_s
        self.index = index

    def response(self) -> Response:
        """The answer to the shop."""
        error: dict[str, Any] = {"code": self.code, "field": self.field, "message": self.message}
        if self.index is not None:
            error["index"] = self.index
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="jishi"'
        return Response(orjson.dumps({"error": error}), self.status, headers, "application/json")
