"""Closed-loop HTTP load over plain sockets: a few connections that each send the next request when the last was answered.

The client shares the machine with the server that it measures, so it must be cheap: requests are bytes made before the clock
starts, and of an answer only the status and the length are read.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Load:
    """What came of a run: answers by status, seconds of each request, and seconds in all."""

    statuses: dict[int, int] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def quantile_ms(self, share: float) -> float:
        """The latency in milliseconds that this share of requests did not exceed."""
        ordered = sorted(self.latencies_s)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def request(path: str, host: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of one POST request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run_load(address: tuple[str, int], requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send each request once, over ``connections``, until they are used up or the time is over."""
    load = Load()
    waiting = iter(requests)
    lock = threading.Lock()
    deadline = time.perf_counter() + seconds

    def send() -> None:
        mine: list[Any] = []
        statuses: dict[int, int] = {}
        with socket.create_connection(address) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for one in _shared(waiting, lock):
                began = time.perf_counter()
                if began >= deadline:
                    break
                connection.sendall(one)
                status = _answer(connection)
                mine.append(time.perf_counter() - began)
                statuses[status] = statuses.get(status, 0) + 1
        with lock:
            load.latencies_s += mine
            for status, count in statuses.items():
                load.statuses[status] = load.statuses.get(status, 0) + count

    began = time.perf_counter()
    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - began
    return load


def _shared(source: Iterator[bytes], lock: threading.Lock) -> Iterator[bytes]:
    while True:
        with lock:
            one = next(source, None)
        if one is None:
            return
        yield one


def _answer(connection: socket.socket) -> int:
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    head = data[:end].lower()
    at = head.index(b"content-length:") + 15
    length = int(head[at:].split(b"\r\n", 1)[0])
    left = length - (len(data) - end - 4)
    while left > 0:
        left -= len(_more(connection))
    return int(head[9:12])


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data
