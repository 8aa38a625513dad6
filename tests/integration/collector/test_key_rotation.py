"""Keys rotate while a shop sends and asks: no request is refused before the old key is revoked, and none passes after."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from jishi.shops import Shops
from ops.ports import free_port

pytestmark = pytest.mark.integration
ROTATIONS = 3


class Asker:
    """Asks with the key of the moment until it is stopped; ``seen`` counts what it was answered, by status."""

    def __init__(self, key: str, ask: Callable[[httpx.Client, dict[str, str], int], int]) -> None:
        self.key, self.seen, self._ask = key, Counter[int](), ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with httpx.Client(timeout=60) as client:
            for number in iter(lambda: self.seen.total(), None):
                if self._stop.is_set():
                    return
                self.seen[self._ask(client, {"Authorization": f"Bearer {self.key}"}, number)] += 1

    def after(self, more: int) -> None:
        """Wait until it was answered so many times more."""
        wanted = self.seen.total() + more
        while self.seen.total() < wanted:
            assert self._thread.is_alive()
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def jishi(place: Any, *words: str) -> str:
    environment = os.environ | {"JISHI_VAR": str(place.paths.var)}
    command = [sys.executable, "-m", "ops.cli", "keys", *words]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_keys_rotate_without_a_gap(make_place: Callable[..., Any], viewed: Callable[..., dict[str, Any]]) -> None:
    place, port = make_place(), free_port()
    with Shops.edit(place.paths.shops_file) as shops:
        read = shops.issue_key("a", "read")
    place.serve()
    environment = os.environ | {"JISHI_VAR": str(place.paths.var), "JISHI_SERVING_PORT": str(port)}
    serving = subprocess.Popen([sys.executable, "-m", "serving"], env=environment, stderr=subprocess.DEVNULL)
    place.processes.append(serving)
    lists = f"http://127.0.0.1:{port}/v1/shops/a/readiness"
    while True:
        assert serving.poll() is None
        try:
            httpx.get(lists, timeout=60)
            break
        except httpx.TransportError:
            time.sleep(0.1)

    def send(client: httpx.Client, headers: dict[str, str], number: int) -> int:
        return client.post(f"{place.url}/v1/events", json=[viewed(f"e{number}")], headers=headers).status_code

    def ask(client: httpx.Client, headers: dict[str, str], number: int) -> int:
        return client.get(lists, headers=headers).status_code

    askers = {"write": Asker(place.key, send), "read": Asker(read, ask)}
    try:
        for _ in range(ROTATIONS):
            for right, asker in askers.items():
                old = asker.key
                [old_id] = [key.key_id for key in Shops.load(place.paths.shops_file).get("a").keys if key.right == right]
                new = jishi(place, "rotate", "a", "--right", right, "--keep-old")
                asker.after(5)  # with the old one, beside the new one
                asker.key = new
                asker.after(5)
                jishi(place, "revoke", old_id)
                asker.after(5)
                with httpx.Client(timeout=60) as late:
                    deadline = time.monotonic() + 60
                    while (status := (send if right == "write" else ask)(late, {"Authorization": f"Bearer {old}"}, -1)) != 401:
                        assert time.monotonic() < deadline, f"the old {right} key still opens: {status}"
                        time.sleep(0.1)
    finally:
        for asker in askers.values():
            asker.stop()
    assert {right: set(asker.seen) for right, asker in askers.items()} == {"write": {200}, "read": {200}}
    assert all(asker.seen.total() > 15 * ROTATIONS for asker in askers.values())
