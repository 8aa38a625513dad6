"""Prometheus metrics of the portal, on a port of their own: the portal's is open to every merchant's browser.

Labels are the addresses as they are declared, statuses and formats of files; never a shop, a person or what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.server import HTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard.portal.live_streams import LiveStreams

_BUCKETS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class PortalMetrics:
    """What one portal counts, and its open streams at each scrape."""

    def __init__(self, streams: LiveStreams) -> None:
        self.registry = CollectorRegistry()
        labels = ["page", "method"]
        self._requests = Counter(
            "jishi_portal_requests", "Answers by declared address and HTTP status.", [*labels, "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "jishi_portal_seconds",
            "Time from request to answer, of a stream to its beginning, seconds.",
            labels,
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._exports = Counter("jishi_portal_exports", "Files of rows or pseudonyms.", ["format"], registry=self.registry)
        self._exported = Counter("jishi_portal_exported_rows", "Rows in these files.", ["format"], registry=self.registry)
        self.registry.register(_OpenStreams(streams))

    def count(self, page: str, method: str, status: int, seconds: float) -> None:
        """Count one answer of an address as it is declared."""
        self._requests.labels(page, method, str(status)).inc()
        self._seconds.labels(page, method).observe(seconds)

    def count_export(self, file_format: str, rows: int) -> None:
        """Count one file that was made."""
        self._exports.labels(file_format).inc()
        self._exported.labels(file_format).inc(rows)

    def serve(self, host: str, port: int) -> tuple[HTTPServer, Thread]:
        """Answer scrapes on a thread of its own. Raises OSError when the port is taken."""
        return start_http_server(port, host, self.registry)


class _OpenStreams(Collector):
    """How many streams are open, read at each scrape."""

    def __init__(self, streams: LiveStreams) -> None:
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        """Yield the one metric."""
        yield GaugeMetricFamily("jishi_portal_open_streams", "Open streams of server-sent events.", self._streams.count())
