"""What a merchant reads where a chart fails: a plain sentence; the database's words go to the log (superset environment)."""

from __future__ import annotations

import json
import logging
from typing import Any

log = logging.getLogger(__name__)
CHART_DATA = "/api/v1/chart/data"
SENTENCE = "This chart cannot be shown now; try again in a minute. 此图表暂时无法显示，请一分钟后重试。"
_UNAUTHORIZED, _FORBIDDEN, _FIRST_ERROR = 401, 403, 400


def speak_plainly(app: Any) -> None:
    """Let guests read ``SENTENCE`` in the place of every error of a chart's data; whoever has an account reads the error."""
    app.after_request(plain_answer)


def plain_answer(response: Any) -> Any:
    """The answer, without the database's words where a guest asked. That a token ran out stays: the page asks for a new one."""
    from flask import request
    from superset import security_manager

    is_error = response.status_code >= _FIRST_ERROR and response.status_code not in (_UNAUTHORIZED, _FORBIDDEN)
    if is_error and request.path.startswith(CHART_DATA) and security_manager.is_guest_user():
        log.error("%s of a guest: %s %s", request.path, response.status_code, response.get_data(as_text=True)[:2000])
        response.set_data(json.dumps(_body()))
        response.content_type = "application/json; charset=utf-8"
    return response


def _body() -> dict[str, Any]:
    error = {"message": SENTENCE, "error_type": "GENERIC_BACKEND_ERROR", "level": "error", "extra": {"issue_codes": []}}
    return {"message": SENTENCE, "errors": [error]}
