"""Superset over a shop's marts as a process of its own, and each chart's data as a guest of the portal asks for it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from bench.big_shop import SHOP
from bench.measured_command import run_measured
from dashboard.admin import ADMIN, admin_password_file, portal_password_file
from dashboard.portal.guest_tokens import GuestTokens
from dashboard.superset_boards import boards
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops.marts_file import link_newest
from ops.ports import free_port

START_TIMEOUT_S, ANSWER_TIMEOUT_S = 300.0, 120.0
_ROW_LIMIT = 1000  # of a chart's saved query, as its page asks


@contextmanager
def running_superset(settings: Settings) -> Iterator[str]:
    """The address of a Superset over the marts of ``settings``, until the block ends.

    Raises RuntimeError with its log when it does not start.
    """
    link_newest(settings)
    port, log, python = free_port(), settings.var / "superset.log", str(Paths.of(settings).python("superset"))
    variables = {"JISHI_VAR": str(settings.var), "JISHI_SUPERSET_PORT": str(port), "PYTHONPATH": str(PROJECT_ROOT)}
    run_measured([python, "-m", "dashboard", "setup"], settings.var)
    with log.open("wb") as out:
        command = [python, "-m", "dashboard", "serve"]
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=PROJECT_ROOT, env=os.environ | variables)
    base, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_TIMEOUT_S
    try:
        while not _answers(base):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Superset did not start: {log.read_text()[-2000:]}")
            time.sleep(0.5)
        yield base
    finally:
        process.terminate()
        process.wait(30)


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health", timeout=5).is_success
    except httpx.TransportError:
        return False


def guests(settings: Settings, base: str) -> dict[str, dict[str, str]]:
    """For each board the headers of a guest of the shop, with the token that a portal would ask for."""
    tokens = GuestTokens(base, portal_password_file(Paths.of(settings)))
    return {name: {"X-GuestToken": tokens.of_shop(SHOP, [*board.embedded.values()])} for name, board in boards().items()}


def chart_requests(settings: Settings, client: httpx.Client) -> dict[str, dict[str, dict[str, Any]]]:
    """By board and chart, the request for the chart's data that the page of the merchant's board sends."""
    password = admin_password_file(Paths.of(settings)).read_text().strip()
    login = {"username": ADMIN, "password": password, "provider": "db"}
    token = _json(client.post("/api/v1/security/login", json=login))["access_token"]
    admin = {"Authorization": f"Bearer {token}"}

    def asked(address: str) -> Any:
        return _json(client.get(f"/api/v1/{address}", headers=admin))["result"]

    requests: dict[str, dict[str, dict[str, Any]]] = {}
    for name, board in boards().items():
        uuid = board.uuid("merchant")
        dashboard = asked(f"dashboard/{uuid}")["id"]
        for chart in asked(f"dashboard/{uuid}/charts"):
            saved = json.loads(asked(f"chart/{chart['id']}")["query_context"])
            form_data = chart["form_data"] | {"dashboardId": dashboard}
            requests.setdefault(name, {})[chart["slice_name"]] = {
                "datasource": {"id": int(form_data["datasource"].partition("__")[0]), "type": "table"},
                "queries": [saved["queries"][0] | {"row_limit": _ROW_LIMIT}],
                "form_data": form_data,
                "result_format": "json",
                "result_type": "full",
            }
    return requests


def timed_chart(client: httpx.Client, request: Mapping[str, Any], guest: Mapping[str, str]) -> float:
    """Seconds to the last byte of a chart's data. Raises RuntimeError for any other answer than 200."""
    began = time.perf_counter()
    answer = client.post("/api/v1/chart/data", json=request, headers=dict(guest))
    seconds = time.perf_counter() - began
    _json(answer)
    return seconds


def _json(answer: httpx.Response) -> Any:
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
    return answer.json()
