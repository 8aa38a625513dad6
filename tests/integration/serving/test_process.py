"""``python -m serving`` as a process: up before anything exists, down cleanly, and a taken port is one clear sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.integration


def serve(platform: Any) -> subprocess.Popen[str]:
    env = os.environ | {
        "JISHI_VAR": str(platform.settings.var),
        "JISHI_KAFKA_BOOTSTRAP": platform.settings.kafka_bootstrap,
        "JISHI_SERVING_PORT": str(platform.settings.serving_port),
    }
    command = [sys.executable, "-m", "serving"]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_it_starts_with_nothing_there_and_stops_on_sigterm(platform: Any, until: Callable[..., Any]) -> None:
    url = f"http://127.0.0.1:{platform.settings.serving_port}"
    process = serve(platform)

    def health() -> Any:
        assert process.poll() is None, process.communicate()[0]
        try:
            return httpx.get(f"{url}/healthz", timeout=5)
        except httpx.TransportError:
            return None

    try:
        assert until(health).json()["status"] == "ok"
        ready = httpx.get(f"{url}/readyz", timeout=5)
        assert (ready.status_code, ready.json()["stream"]["waiting_for"]) == (503, "Kafka")
        key = platform.register("lanting")
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.get(f"{url}/v1/shops/lanting/recommendations", headers=headers, timeout=5)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_release")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0, out
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_taken_port_is_one_clear_sentence(platform: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", platform.settings.serving_port))
        taken.listen()
        process = serve(platform)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "JISHI_SERVING_PORT" in out
    assert "Traceback" not in out
