"""One page of metrics for all processes that answer on a port: whichever is asked asks the others.

Each listens on a Unix socket of its own, which its parent has made and which no file names. Counters and histograms are
summed; of a gauge the largest value is shown, for each process has a whole state of its own and the worst is what counts.
"""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import orjson
from prometheus_client.core import GaugeMetricFamily, Metric

_WAIT_S = 1.0
_MOST_BYTES = 2**20
_SUMMED = ("counter", "histogram")

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
        pages, silent = [list(metrics)], 0
        for number, listener in enumerate(self._sockets):
            if number != self.number:
                try:
                    pages.append(_asked(listener))
                except (OSError, ValueError):
                    silent += 1
        text = "Serving processes that gave no metrics when the others were asked."
        return [*_merged(pages), GaugeMetricFamily("jishi_serving_silent_workers", text, silent)]


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


def _merged(pages: Iterable[Metrics]) -> Iterator[Metric]:
    same: dict[str, Metrics] = defaultdict(list)
    for metrics in pages:
        for metric in metrics:
            same[metric.name].append(metric)
    for name, group in same.items():
        values: dict[tuple[str, tuple[tuple[str, str], ...]], list[float]] = defaultdict(list)
        for metric in group:
            for sample in metric.samples:
                values[sample.name, tuple(sample.labels.items())].append(sample.value)
        merged = Metric(name, group[0].documentation, group[0].type)
        for (sample_name, labels), each in values.items():
            of_all = min if sample_name.endswith("_created") else sum if group[0].type in _SUMMED else max
            merged.add_sample(sample_name, dict(labels), of_all(each))
        yield merged
