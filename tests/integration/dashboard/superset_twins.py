"""What the tests ask of a Superset over twin shops, as which visitor, and how a foreign byte is known."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import re
import time
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from dashboard.admin import ADMIN, PORTAL, admin_password_file, guest_key_file, portal_password_file
from dashboard.guests import AUDIENCE, token_request
from dashboard.superset_boards import boards
from tests.unit.dashboard.portal.twins import DAYS, NUMBER_CANARY, PLAIN, TEXT_CANARY, TwinShops

_NUMBER = re.compile(rf"(?<![\w.]){NUMBER_CANARY}(\d\d)?(\.\d+)?(?!\w)")
_VALUE = re.compile(r"(?<![\w.])(\d{5,9})(\.\d+)?(?![\w])")
# A row of the plain shop, whose days have this many and a few more; one of the canary shop is 500 more than a multiple.
_ONE_ROW, _FEW_MORE = 12345 * 100, 2 * sum(range(DAYS))


class SupersetTwins:
    """Superset at ``address`` with its ``routes``; every request comes without cookies."""

    def __init__(self, twins: TwinShops, routes: Path) -> None:
        self.twins = twins
        self.address = f"http://127.0.0.1:{twins.settings.superset_port}"
        self.routes: list[dict[str, Any]] = json.loads(routes.read_text())
        self._client = httpx.Client(base_url=self.address, timeout=120)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """One request; ``headers`` say who asks."""
        self._client.cookies.clear()
        return self._client.request(method, path, headers=headers, **body)

    def guest(self, shop_id: str = PLAIN, board: str = "today") -> dict[str, str]:
        """Headers of a guest, with the token that the portal asked for."""
        return {"X-GuestToken": self.twins.portal.guest_tokens.of_shop(shop_id, list(boards()[board].embedded.values()))}

    def forged(self, key: str | None = None, **changes: Any) -> dict[str, str]:
        """Headers of a guest with a token of the test's own making, signed with Superset's key or another."""
        request = token_request(PLAIN, list(boards()["today"].embedded.values()))
        now = int(time.time())
        claims = {"user": request["user"], "resources": request["resources"], "rls_rules": request["rls"], "type": "guest"}
        claims |= {"iat": now, "exp": now + 300, "aud": AUDIENCE} | changes
        return {"X-GuestToken": signed(claims, key or guest_key_file(self.twins.paths).read_text().strip())}

    def account(self, name: str, password: str) -> dict[str, str]:
        """Headers of an account of Superset's."""
        answer = self.ask("POST", "/api/v1/security/login", json={"username": name, "password": password, "provider": "db"})
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def of_page(self, account: dict[str, str]) -> dict[str, str]:
        """Headers of an account that may also write, as one of Superset's own pages would."""
        answer = self.ask("GET", "/api/v1/security/csrf_token/", account)
        cookie = answer.headers["set-cookie"].partition(";")[0]
        return account | {"X-CSRFToken": answer.json()["result"], "Cookie": cookie, "Referer": self.address}

    @cached_property
    def portal(self) -> dict[str, str]:
        """The portal's own account."""
        return self.account(PORTAL, portal_password_file(self.twins.paths).read_text().strip())

    @cached_property
    def admin(self) -> dict[str, str]:
        """Who may do all."""
        return self.account(ADMIN, admin_password_file(self.twins.paths).read_text().strip())

    def charts(self, board: str = "today") -> dict[str, dict[str, Any]]:
        """By its name, the request for its data that the page of a chart sends."""
        uuid = boards()[board].uuid("merchant")
        dashboard = self.ask("GET", f"/api/v1/dashboard/{uuid}", self.admin).json()["result"]["id"]
        charts = self.ask("GET", f"/api/v1/dashboard/{uuid}/charts", self.admin).json()["result"]
        requests = {}
        for chart in charts:
            form_data = chart["form_data"] | {"dashboardId": dashboard}
            saved = json.loads(self.ask("GET", f"/api/v1/chart/{chart['id']}", self.admin).json()["result"]["query_context"])
            number = int(form_data["datasource"].partition("__")[0])
            requests[chart["slice_name"]] = {
                "datasource": {"id": number, "type": "table"},
                "queries": [saved["queries"][0] | {"row_limit": 1000}],
                "form_data": form_data,
                "result_format": "json",
                "result_type": "full",
            }
        return requests


def signed(claims: dict[str, Any], key: str, algorithm: str = "HS256") -> str:
    """A JSON web token (RFC 7519)."""
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mark = hmac.new(key.encode(), text, hashlib.sha256).digest() if algorithm == "HS256" else b""
    return (text + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


def text_of(answer: httpx.Response) -> str:
    """All that came: headers, and the body, unpacked where it is an archive."""
    heads = repr(sorted(answer.headers.items()))
    if answer.content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            return heads + "".join(archive.read(part).decode("utf-8", "ignore") for part in archive.namelist())
    return heads + answer.text


def is_foreign(answer: httpx.Response) -> bool:
    """Whether a word or a row of the canary shop is in an answer."""
    text = text_of(answer)
    return TEXT_CANARY in text or _NUMBER.search(text) is not None


def has_foreign_sum(answer: httpx.Response) -> bool:
    """Whether a number of a chart's data has rows of the canary shop in it, alone or added to the plain shop's."""
    for whole, fraction in _VALUE.findall(text_of(answer)):
        hundredths = round(float(whole + fraction) * 100) if fraction else int(whole)
        if hundredths >= _ONE_ROW and _FEW_MORE < hundredths % _ONE_ROW < 500 * DAYS + _FEW_MORE + 1:
            return True
    return False
