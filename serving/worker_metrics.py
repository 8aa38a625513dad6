"""One page of metrics for all processes that answer on a port: whichever is asked asks the others.

Each listens on a Unix socket of its own, which its parent has made and which no file names. Counters and histograms have the
label ``worker``, its number: those of one that was replaced begin at 0, which Prometheus knows to handle, while a sum would
fall. Of a gauge the largest value is shown, for each process has a whole state of its own and the worst is what counts.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping

import orjson
from prometheus_client.core import GaugeMetricFamily, Metric

_WAIT_S = 1.0
_MOST_BYTES = 2**20
_COUNTED = ("counter", "histogram")

Metrics = list[Metric]


class WorkerMetrics:
    """The sockets of ``count`` processes, to be made before they are forked. Raises OSError where none can be made."""

    def __init__(self, count: int) -> None:
        self._sockets = [_listening() for _ in range(count)]
        self.number = 0  # of this process

    def answer(self, metrics: Callable[[], Iterable[Metric]]) -> None:
        """Tell the others what ``metrics`` says; until the process ends."""
        while True:
            connection, _ = self._sockets[self.number].accept()
            with connection:
                connection.settimeout(_WAIT_S)
                try:
                    connection.sendall(_as_bytes(metrics()))
                except OSError:  # whoever asked has gone; that one says so
                    continue

    def merged(self, metrics: Iterable[Metric]) -> Metrics:
        """``metrics``, those of this process, with those of all others and how many of them gave none within a second."""
        pages, silent = {self.number: list(metrics)}, 0
        for number, listener in enumerate(self._sockets):
            if number != self.number:
                try:
                    pages[number] = _asked(listener)
                except (OSError, ValueError):
                    silent += 1
        return [*_merged(pages), silent_workers(silent)]


def silent_workers(count: int) -> Metric:
    """How many processes gave no metrics; 0 of one that answers alone."""
    text = "Serving processes that gave no metrics when the others were asked."
    return GaugeMetricFamily("jishi_serving_silent_workers", text, count)


def _listening() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("")  # Linux gives it a name that no other has and that ends with its last process
    listener.listen(16)
    return listener


def _asked(listener: socket.socket) -> Metrics:
    """What the process behind a socket says. Raises OSError, or ValueError where it broke off."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_WAIT_S)
        connection.connect(listener.getsockname())
        data = b""
        while len(data) < _MOST_BYTES and (chunk := connection.recv(2**16)):
            data += chunk
    return _from_bytes(data)


def _as_bytes(metrics: Iterable[Metric]) -> bytes:
    return orjson.dumps(
        [
            [metric.name, metric.documentation, metric.type, [[each.name, each.labels, each.value] for each in metric.samples]]
            for metric in metrics
        ]
    )


def _from_bytes(data: bytes) -> Metrics:
    read = []
    for name, documentation, kind, samples in orjson.loads(data):
        metric = Metric(name, documentation, kind)
        for sample in samples:
            metric.add_sample(*sample)
        read.append(metric)
    return read


def _merged(pages: Mapping[int, Metrics]) -> Iterator[Metric]:
    merged: dict[str, Metric] = {}
    largest: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for number, metrics in sorted(pages.items()):
        for metric in metrics:
            of_all = merged.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            for sample in metric.samples:
                if metric.type in _COUNTED:
                    of_all.add_sample(sample.name, sample.labels | {"worker": str(number)}, sample.value)
                else:
                    key = sample.name, tuple(sample.labels.items())
                    largest[key] = max(sample.value, largest.get(key, sample.value))
    for (name, labels), value in largest.items():
        merged[name].add_sample(name, dict(labels), value)
    yield from merged.values()
