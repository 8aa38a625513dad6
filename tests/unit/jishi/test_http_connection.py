"""A killed process has sent all of an answer or nothing of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from jishi.settings import PROJECT_ROOT

BODY = b"x" * 5_000
STREAMED = b"y" * 400_000
_SERVER = """
import socket
import sys
import uvicorn
from tests.unit.jishi.test_http_connection import app
from jishi.http_connection import WholeAnswers
config = uvicorn.Config(app, http=WholeAnswers, loop=sys.argv[2], lifespan="off", access_log=False)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once, in pieces, or dies between the head of an answer and its body."""
    path = scope["path"]
    size = len(STREAMED) if path == "/pieces" else len(BODY)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    if path == "/dies":
        os._exit(1)
    if path == "/pieces":
        for at in range(0, len(STREAMED), 1_000):
            await send({"type": "http.response.body", "body": STREAMED[at : at + 1_000], "more_body": True})
    await send({"type": "http.response.body", "body": BODY if path != "/pieces" else b""})


@pytest.fixture(params=["asyncio", "uvloop"])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A server in a process of its own, on either event loop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        command = [sys.executable, "-c", _SERVER, str(number), request.param]
        server = subprocess.Popen(command, pass_fds=[number], cwd=PROJECT_ROOT)
        try:
            yield listener.getsockname()
        finally:
            server.kill()
            server.wait()


def test_answers_are_whole(address: tuple[str, int]) -> None:
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", timeout=60) as client:
        assert [client.get("/once").content for _ in range(3)] == [BODY] * 3
        assert client.get("/pieces").content == STREAMED
        assert client.get("/once", headers={"Connection": "close"}).content == BODY


def test_a_process_that_dies_after_the_head_has_sent_nothing(address: tuple[str, int]) -> None:
    """A proxy asks another one only where nothing has come."""
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(b"GET /dies HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.makefile("rb").read() == b""
