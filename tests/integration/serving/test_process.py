"""``python -m serving`` as a process: up before anything exists, down cleanly, and a taken port is one clear sentence."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest

from ops.kafka import running_broker

pytestmark = pytest.mark.integration


def serve(platform: Any, workers: int = 1) -> subprocess.Popen[str]:
    env = os.environ | {
        "JISHI_SERVING_WORKERS": str(workers),
        "JISHI_VAR": str(platform.settings.var),
        "JISHI_KAFKA_BOOTSTRAP": platform.settings.kafka_bootstrap,
        "JISHI_SERVING_PORT": str(platform.settings.serving_port),
    }
    command = [sys.executable, "-m", "serving"]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def process(platform: Any) -> Iterator[subprocess.Popen[str]]:
    started = serve(platform)
    yield started
    if started.poll() is None:
        started.kill()
        started.wait()


def test_from_nothing_to_releases_that_come_and_go(platform: Any, process: Any, until: Callable[..., Any]) -> None:
    url = f"http://127.0.0.1:{platform.settings.serving_port}"

    def health() -> Any:
        assert process.poll() is None, process.communicate()[0]
        try:
            return httpx.get(f"{url}/healthz", timeout=60)
        except httpx.TransportError:
            return None

    assert until(health).json()["status"] == "ok"
    ready = httpx.get(f"{url}/readyz", timeout=60)
    assert (ready.status_code, ready.json()["stream"]["waiting_for"]) == (503, "Kafka")
    headers = {"Authorization": f"Bearer {platform.register('lanting')}"}

    def get(**params: Any) -> httpx.Response:
        return httpx.get(f"{url}/v1/shops/lanting/recommendations", headers=headers, params=params, timeout=60)

    def shop() -> Any:
        return httpx.get(f"{url}/v1/shops/lanting/readiness", headers=headers, timeout=60).json()

    answer = get()  # whether it has items is known when the log is read
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "catching_up")

    skirts, lamps = [f"s{n}" for n in range(6)], [f"l{n}" for n in range(6)]
    rows = [{"item_id": i, "category": "skirts"} for i in skirts] + [{"item_id": i, "category": "lamps"} for i in lamps]
    platform.publish_items([{"shop_id": "lanting"} | row for row in rows])
    platform.publish_release("lanting", "v1", [skirts, lamps])
    until(lambda: get().json()["error"]["code"] == "catching_up")
    with running_broker(platform.broker, platform.paths.log / "kafka.log"):
        until(lambda: get().status_code == 200)
    assert {item["category"] for item in get(user_id="u1", limit=4).json()["items"]} == {"lamps"}
    assert get(user_id="u1").json()["served_by"] == "personalised"
    page = get(item_id="l0", placement="item", limit=3).json()
    assert (page["served_by"], {item["category"] for item in page["items"]}) == ("item_based", {"lamps"})
    assert {item["reason"]["because_item_id"] for item in page["items"]} == {"l0"}
    assert get(user_id="nobody", limit=1).json()["items"][0]["item_id"] == "s0"

    # A corrupted artefact: the last good one stays, and it is told.
    folder = platform.publish_release("lanting", "v1-other", [lamps, skirts])
    until(lambda: shop()["release"] == "v1-other")
    broken = platform.paths.models / "lanting" / "releases" / "v2"
    shutil.copytree(folder, broken)
    content = bytearray((broken / "als.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (broken / "als.npz").write_bytes(content)
    platform.point("lanting", "v2")
    result = until(lambda: (s := shop())["release_problem"] and s)
    assert (result["release"], result["ready"]) == ("v1-other", True)
    assert "als.npz" in result["release_problem"]
    assert "jishi_release_load_failures_total 1.0" in httpx.get(f"{url}/metrics", timeout=60).text
    assert get().json()["model_version"] == "v1-other"
    # One that keeps its checksums.
    strange = platform.paths.models / "lanting" / "releases" / "v2-strange"
    shutil.copytree(folder, strange)
    (strange / "persons.arrow").write_bytes(b"no Arrow")
    manifest = json.loads((strange / "manifest.json").read_text())
    manifest["sha256"]["persons.arrow"] = hashlib.sha256(b"no Arrow").hexdigest()
    (strange / "manifest.json").write_text(json.dumps(manifest))
    platform.point("lanting", "v2-strange")
    until(lambda: "persons.arrow is no Arrow file" in (shop()["release_problem"] or ""))
    assert get().json()["model_version"] == "v1-other"
    assert httpx.get(f"{url}/healthz", timeout=60).json()["dead_threads"] == []
    platform.publish_release("lanting", "v3", [skirts, lamps])
    until(lambda: get().json()["model_version"] == "v3")
    assert shop()["release_problem"] is None

    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out


def test_the_metrics_of_two_processes_are_on_one_page(platform: Any, until: Callable[..., Any]) -> None:
    process = serve(platform, workers=2)
    url = f"http://127.0.0.1:{platform.settings.serving_port}"

    def metrics() -> str | None:
        assert process.poll() is None, process.communicate()[0]
        try:
            return httpx.get(f"{url}/metrics", timeout=60).text
        except httpx.TransportError:
            return None

    try:
        until(lambda: "jishi_serving_silent_workers 0.0" in (metrics() or ""))
        headers = {"Authorization": f"Bearer {platform.register('lanting')}"}
        first, second = psutil.Process(process.pid).children()
        for stopped, requests in ((first, 5), (second, 3)):  # so that it is the other one that answers
            stopped.suspend()
            for _ in range(requests):
                answer = httpx.get(f"{url}/v1/shops/lanting/recommendations", headers=headers, timeout=60)
                assert answer.status_code == 503
            stopped.resume()
        counted = 'jishi_recommendation_requests_total{served_by="",status="503",worker='
        for silent in (first, second):
            counts = re.findall(counted + r'"(.)"} (\S+)', metrics() or "")
            assert dict(counts) in ({"0": "3.0", "1": "5.0"}, {"0": "5.0", "1": "3.0"})
            silent.suspend()
            assert "jishi_serving_silent_workers 1.0" in (metrics() or "")
            silent.resume()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
    finally:
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
