"""The driver of the job: how it waits for its cluster, and what it says when Java refuses."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

pytest.importorskip("pyflink", reason="runs in the flink environment")

from py4j.protocol import Py4JError
from pyflink.util.exceptions import JavaException

from flink_jobs.realtime import end_earlier_run, reason_of
from flink_jobs.rest_api import RestApi
from jishi.paths import Paths
from jishi.settings import Settings


class _NoJobs(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"jobs": []}')

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def test_the_driver_waits_for_a_jobmanager_that_comes(tmp_path: Path) -> None:
    """One that ended at once would, after ten starts, not be started again by its supervisor."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = Settings(  # type: ignore[call-arg]
        var=tmp_path, flink_target="remote", flink_url=f"http://127.0.0.1:{port}", _env_file=None
    )
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(end_earlier_run, settings, Paths.of(settings), RestApi(settings.flink_address))
        with pytest.raises(TimeoutError):
            waiting.result(1.2)
        with HTTPServer(("127.0.0.1", port), _NoJobs) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            waiting.result(30)
            server.shutdown()
            thread.join()


class _Thrown:
    """What py4j shows of a throwable."""

    def __init__(self, text: str, cause: _Thrown | None = None) -> None:
        self._text, self._cause = text, cause

    def getCause(self) -> _Thrown | None:
        return self._cause

    def toString(self) -> str:
        return self._text


def test_an_error_of_java_is_told_by_its_cause() -> None:
    error = Py4JError("An error occurred while calling z:org.apache.iceberg.CatalogUtil.loadCatalog.")
    assert reason_of(error) == "An error occurred while calling z:org.apache.iceberg.CatalogUtil.loadCatalog."
    refused = _Thrown("org.postgresql.util.PSQLException: Connection to 127.0.0.1:5432 refused.\nmore")
    error.java_exception = _Thrown("UncheckedSQLException: Failed to connect", _Thrown("java.sql.SQLException", refused))
    assert reason_of(error) == "org.postgresql.util.PSQLException: Connection to 127.0.0.1:5432 refused."
    assert reason_of(JavaException("first\n\tat second")) == "first"
