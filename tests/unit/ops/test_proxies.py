"""A machine whose environment names a proxy: the platform's servers are asked directly, the rest of the world is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
from typer.testing import CliRunner

from jishi.paths import Paths
from jishi.settings import get_settings
from ops import lifecycle
from ops.cli import app
from ops.proxies import direct_hosts
from tests.lake import settings_in

NOBODY = "http://127.0.0.1:9"


class _Serving(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(418)
        self.end_headers()
        self.wfile.write(b'{"error": {"message": "asked directly"}}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of this machine, in an environment whose proxy does not know it."""
    server = HTTPServer(("127.0.0.1", 0), _Serving)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, NOBODY)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_command_reaches_the_platform_past_a_proxy(serving: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """localstack 239: health checks and commands asked the proxy for the machine's own servers."""
    monkeypatch.setenv("JISHI_SERVING_URL", serving)
    get_settings.cache_clear()
    asked = CliRunner().invoke(app, ["recommend", "--shop", "s"], env={"JISHI_KEY": "k"})
    get_settings.cache_clear()
    assert "asked directly" in asked.output


@pytest.mark.parametrize("given", ["", "fd00::/8,.corp.example", "[::1]", "10.0.0.0/8, [fd00::]/8"])
def test_a_part_reaches_the_others_whatever_is_excluded(
    serving: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``no_proxy`` goes before ``NO_PROXY``, and of networks of IPv6 httpx makes an error of each request (Wegent 3556)."""
    settings = settings_in(tmp_path).model_copy(
        update={"airflow_url": "http://airflow-api:8080", "part_hosts": "kafka=broker-1"}
    )
    monkeypatch.setenv("no_proxy", given)
    monkeypatch.setattr(lifecycle, "java_home", lambda envs: tmp_path)
    for name, value in lifecycle.common_environment(settings, Paths.of(settings)).items():
        if name.lower() == "no_proxy":
            monkeypatch.setenv(name, value)
    assert httpx.get(serving).status_code == 418
    with pytest.raises(OSError, match="418"):
        urlopen(serving)
    known = direct_hosts(settings)["no_proxy"].split(",")
    assert {"airflow-api", "broker-1", *(each for each in (".corp.example", "10.0.0.0/8") if each in given)} <= set(known)
    with pytest.raises(httpx.ConnectError):
        httpx.get("http://shop.example/")
