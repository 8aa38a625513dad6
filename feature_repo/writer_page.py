"""The writer's two pages: ``/healthz`` for the supervisor, ``/metrics`` for Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from feature_repo.writer import WriterProgress


class ProgressCollector(Collector):
    """The writer's progress as Prometheus metrics, read at each scrape."""

    def __init__(self, progress: WriterProgress) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        progress = self._progress
        yield CounterMetricFamily(
            "jishi_feature_messages", "Messages consumed from the feature topic.", value=progress.messages
        )
        written = CounterMetricFamily(
            "jishi_feature_rows_written", "Rows that became the newest of their key.", labels=["view"]
        )
        for view, rows in sorted(progress.views.items()):
            written.add_metric([view], rows)
        yield written
        yield CounterMetricFamily(
            "jishi_feature_rows_refused_as_older", "Rows that the store held already or newer.", value=progress.refused_as_older
        )
        yield CounterMetricFamily("jishi_feature_rows_expired", "Old rows taken out of the store.", value=progress.expired)
        yield CounterMetricFamily(
            "jishi_feature_messages_dead", "Messages that went to the dead-letter file.", value=progress.dead
        )
        lag = GaugeMetricFamily("jishi_feature_lag_messages", "Messages not yet consumed.", labels=["partition"])
        for partition, behind in sorted(progress.lag.items()):
            lag.add_metric([str(partition)], behind)
        yield lag


def serve_pages(host: str, port: int, progress: WriterProgress) -> ThreadingHTTPServer:
    """Answer the pages on a thread of their own. Raises OSError when the port is taken; port 0 takes a free one."""
    registry = CollectorRegistry()
    registry.register(ProgressCollector(progress))

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, "text/plain; version=0.0.4", generate_latest(registry))
            elif self.path == "/healthz":
                self._answer(200, "application/json", json.dumps(health(progress, time.time())).encode())
            else:
                self._answer(404, "application/json", b'{"error":{"code":"no_such_page"}}')

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet: a scrape a second is not worth a log line."""

    server = ThreadingHTTPServer((host, port), Pages)
    Thread(target=server.serve_forever, name="writer-pages", daemon=True).start()
    return server


def health(progress: WriterProgress, now: float) -> dict[str, object]:
    """What ``/healthz`` tells; ``now`` is epoch seconds."""
    return {
        "status": "waiting" if progress.waiting_for else "ok",
        "waiting_for": progress.waiting_for,
        "messages": progress.messages,
        "written": progress.written,
        "refused_as_older": progress.refused_as_older,
        "dead": progress.dead,
        "lag": sum(progress.lag.values()),
        "since_last_write_s": round(now - progress.last_write_at, 3) if progress.last_write_at else None,
    }
