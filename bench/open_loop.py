"""Open-loop HTTP load: requests leave at their times whether or not earlier ones were answered, over connections that are kept.

Latency counts from the time at which a request should have left, so that a server that is behind shows it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil
import uvloop


@dataclass
class OpenLoad:
    """What came of a run: seconds of each answer with status 200, other answers, requests not answered in time, seconds."""

    latencies_s: list[float] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0  # of the processes that answered
    steal: float = 0.0  # share of the machine's time that its host took

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.latencies_s) / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of an answer in microseconds."""
        return 1e6 * self.cpu_s / max(1, len(self.latencies_s))

    def quantile_ms(self, share: float) -> float:
        """The latency in milliseconds that this share of the answers did not exceed; those that never came are the slowest."""
        every = np.sort(np.array(self.latencies_s + [float("inf")] * (self.unanswered + self.refused)))
        return float(1000 * every[min(len(every) - 1, int(share * len(every)))]) if len(every) else float("nan")


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, free: deque[_Connection], waiting: deque[tuple[float, bytes]], load: OpenLoad) -> None:
        self._free, self._waiting, self._load = free, waiting, load
        self._buffer, self._due = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, due: float, request: bytes) -> None:
        self._due = due
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        if head[9:12] == b"200":
            self._load.latencies_s.append(time.perf_counter() - self._due)
        else:
            self._load.refused += 1
        self._buffer = b""
        if self._waiting:
            self.send(*self._waiting.popleft())
        else:
            self._free.append(self)


def run_open_load(
    port: int, requests: Sequence[bytes], per_s: float, seconds: float, pids: Sequence[int], connections: int = 64
) -> OpenLoad:
    """Send requests (round and round) at times of a Poisson process, then wait up to 2 s for the last answers."""
    return uvloop.run(_run(port, requests, per_s, seconds, pids, connections))


async def _run(
    port: int, requests: Sequence[bytes], per_s: float, seconds: float, pids: Sequence[int], connections: int
) -> OpenLoad:
    load, free, waiting = OpenLoad(), deque[_Connection](), deque[tuple[float, bytes]]()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: _Connection(free, waiting, load), "127.0.0.1", port)
        free.append(connection)
    rng = np.random.default_rng(int(per_s))
    gaps = rng.exponential(1 / per_s, int(per_s * seconds * 1.5) + 10)
    due_at = np.cumsum(gaps)
    due_at = due_at[due_at < seconds]
    cpu, (stolen, passed), began = _cpu_s(pids), _machine(), time.perf_counter()
    for number, due in enumerate((began + due_at).tolist()):
        if (ahead := due - time.perf_counter()) > 0.0005:
            await asyncio.sleep(ahead)
        elif number % 8 == 0:
            await asyncio.sleep(0)
        request = requests[number % len(requests)]
        if free:
            free.popleft().send(due, request)
        else:
            waiting.append((due, request))
    deadline = time.perf_counter() + 2
    while (left := len(due_at) - len(load.latencies_s) - load.refused) and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    load.seconds, load.cpu_s, load.unanswered = time.perf_counter() - began, _cpu_s(pids) - cpu, left
    after = _machine()
    load.steal = (after[0] - stolen) / max(1e-9, after[1] - passed)
    return load


def _cpu_s(pids: Sequence[int]) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def _machine() -> tuple[float, float]:
    times = psutil.cpu_times()
    return float(times.steal), float(sum(times[:8]))
