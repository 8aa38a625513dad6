"""Guest tokens for embedded boards: the portal logs in to Superset with an account of its own and asks for one shop's token.

The account may do nothing else; its password is read from a file that only the platform's user can read.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import httpx

from dashboard.admin import PORTAL
from dashboard.guests import token_request

_WAIT_S = 10


class SupersetUnavailable(RuntimeError):
    """Superset does not answer, or not with a token; the message is for the log."""


class GuestTokens:
    """Tokens of Superset at ``address``; ``password_file`` holds the portal's password there."""

    def __init__(self, address: str, password_file: Path, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(base_url=f"{address}/api/v1/security", timeout=_WAIT_S, transport=transport)
        self._password_file = password_file
        self._login = ""
        self._lock = Lock()

    def of_shop(self, shop_id: str, boards: list[str]) -> str:
        """A token for the boards of these uuids with one shop's rows; it lasts five minutes. Raises SupersetUnavailable."""
        request = token_request(shop_id, boards)
        answer = self._asked("guest_token/", request, self._login)
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # the login has run out, or there was none yet
            with self._lock:
                self._login = self._log_in()
            answer = self._asked("guest_token/", request, self._login)
        return _field(answer, "token")

    def _log_in(self) -> str:
        try:
            password = self._password_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise SupersetUnavailable(f"{self._password_file} is not there; run: python -m dashboard setup") from None
        return _field(self._asked("login", {"username": PORTAL, "password": password, "provider": "db"}, ""), "access_token")

    def _asked(self, path: str, body: dict[str, Any], login: str) -> httpx.Response:
        try:
            return self._client.post(path, json=body, headers={"Authorization": f"Bearer {login}"} if login else {})
        except httpx.HTTPError as error:
            raise SupersetUnavailable(f"Superset does not answer: {error}") from error


def _field(answer: httpx.Response, name: str) -> str:
    if answer.status_code != httpx.codes.OK:
        raise SupersetUnavailable(f"Superset answers {answer.request.url.path} with {answer.status_code}: {answer.text[:200]}")
    return str(answer.json()[name])
