"""``python -m ops.monitoring.exporter``: what no part tells by itself, for Prometheus: parts, stream, disk, what is published.

At each scrape it reads life signs and the lake's versions, and asks the supervisor, or where none runs the parts themselves
(``JISHI_PART_HOSTS``). No metric names a shop.
"""

from __future__ import annotations

import logging
import shutil
import signal
import time
from collections.abc import Container, Iterator
from datetime import UTC, date, datetime, timedelta
from threading import Event

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jishi.heartbeat import TAKEN_AWAY_S, Heartbeat, beats, last_beat
from jishi.json_logs import log_as_json
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.lake.versions import MartsFile, TableVersion, Versions, VersionsUnreachable
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.tables import ONLINE_PARITY
from ops.health import platform_health
from ops.marts_age import marts_published_at
from ops.parts import is_chosen, parts
from ops.supervisor import states
from quality.parity.waiting import DUE_AFTER, end_of, waiting_date

_BEATING = ("forwarder", "flink", "feature_writer")
# A day's report of online parity speaks for serving until the next day's is due.
_REPORT_HOLDS = timedelta(days=1) + DUE_AFTER


class PlatformCollector(Collector):
    """The platform as it is at each scrape."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._paths, self._began_s = settings, Paths.of(settings), time.monotonic()
        self._parity: tuple[int, tuple[date, float] | None] | None = None
        self._marts: MartsFile | None = None
        self._marts_at: datetime | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        supervised = {name: state["statename"] == "RUNNING" for name, state in states(self._paths).items()}
        yield from self._parts(supervised)
        yield from self._stream(self._signs("forwarder", supervised), last_beat(self._paths, "flink"))
        yield from self._watched()
        existing = next(folder for folder in (self._paths.var, *self._paths.var.parents) if folder.exists())
        usage = shutil.disk_usage(existing)
        yield GaugeMetricFamily("jishi_disk_free_bytes", "Free space where the platform's state lies.", usage.free)
        yield GaugeMetricFamily("jishi_disk_bytes", "Size of that disk.", usage.total)
        yield from self._published(datetime.now(UTC))

    def _parts(self, supervised: dict[str, bool]) -> Iterator[Metric]:
        text = "1 while the supervisor says that the part runs; where there is none, while every one of it answers."
        up = GaugeMetricFamily("jishi_part_up", text, labels=["part"])
        for name, is_up in sorted((supervised or self._asked()).items()):
            up.add_metric([name], is_up)
        yield up
        age = GaugeMetricFamily("jishi_part_heartbeat_age_seconds", "Since the last sign of life.", labels=["part"])
        for name in _BEATING:
            if signs := self._signs(name, supervised):
                age.add_metric([name], max(sign.age_s for sign in signs))
        yield age

    def _asked(self) -> dict[str, bool]:
        """Whether each part that answers to others does. Of those that beat, the age of their last sign tells."""
        if not self._settings.part_hosts:
            return {}
        answering = [each for each in parts(self._settings, self._paths) if each.port or each.watched_as]
        return {each.name: each.is_healthy for each in platform_health(answering, self._settings, self._paths)}

    def _signs(self, part: str, supervised: Container[str]) -> list[Heartbeat]:
        """The last sign of each. That of a part that was taken away stays in the folder, and would be too old for ever."""
        return [sign for sign in beats(self._paths, part) if part in supervised or sign.age_s < TAKEN_AWAY_S]

    @staticmethod
    def _stream(forwarders: list[Heartbeat], flink: Heartbeat | None) -> Iterator[Metric]:
        if forwarders:
            lag, damaged, forwarded = (sum(each.facts[fact] for each in forwarders) for fact in ("lag", "damaged", "forwarded"))
            yield GaugeMetricFamily("jishi_forwarder_lag_events", "Acknowledged and not in the event log.", lag)
            yield GaugeMetricFamily("jishi_forwarder_damaged_entries", "Entries that cannot be read.", damaged)
            yield CounterMetricFamily("jishi_forwarder_forwarded_events", "Events in the event log.", forwarded)
        if flink is not None:
            facts = flink.facts
            yield GaugeMetricFamily("jishi_flink_running", "1 while the job runs.", facts["state"] == "RUNNING")
            yield GaugeMetricFamily("jishi_flink_restarts", "Restarts of the job since it was submitted.", facts["restarts"])
            yield GaugeMetricFamily("jishi_flink_checkpoints", "Checkpoints since it was submitted.", facts["checkpoints"])
            failed = facts["failed_checkpoints"]
            yield GaugeMetricFamily("jishi_flink_failed_checkpoints", "Checkpoints that failed since then.", failed)

    def _watched(self) -> Iterator[Metric]:
        """Before the first run of ``jishi watch`` its age counts from the start of this exporter, where Airflow is a part."""
        watch = last_beat(self._paths, "watch")
        problems = GaugeMetricFamily("jishi_watch_problems", "What jishi watch found at its last run.", labels=["check"])
        age = GaugeMetricFamily("jishi_watch_age_seconds", "Since jishi watch last looked at everything.", labels=[])
        if watch is not None:
            for check, count in watch.facts["problems"].items():
                problems.add_metric([check], count)
            age.add_metric([], watch.age_s)
        elif is_chosen(self._settings, "airflow-scheduler"):
            age.add_metric([], time.monotonic() - self._began_s)
        yield from (problems, age)

    def _published(self, now: datetime) -> Iterator[Metric]:
        try:
            newest = Versions.of(self._settings).latest()
            if newest is not None and newest.marts is not None and self._marts != newest.marts:
                self._marts, self._marts_at = newest.marts, marts_published_at(self._settings)
        except VersionsUnreachable:
            return
        report = self._newest_report(newest) if newest else None
        yield from self._compared(report, now)
        if newest is None:
            return
        yield GaugeMetricFamily("jishi_lake_version", "Number of the newest version of the lake.", newest.number)
        age = (now - newest.created_at).total_seconds()
        yield GaugeMetricFamily("jishi_lake_version_age_seconds", "Since it was published.", age)
        if newest.marts is not None and self._marts_at is not None:
            built = (now - self._marts_at).total_seconds()
            yield GaugeMetricFamily("jishi_marts_age_seconds", "Since the newest marts were published.", built)

    def _compared(self, report: tuple[date, float] | None, now: datetime) -> Iterator[Metric]:
        """The newest report of online parity, as long as it holds, and how long the next one has been waited for."""
        waits = waiting_date(self._settings, report[0] if report else None, now)
        waiting = (now - end_of(waits)).total_seconds() if waits else 0.0
        text = "Since the end of the oldest date whose values that serving used nobody has compared."
        yield GaugeMetricFamily("jishi_online_parity_waiting_seconds", text, waiting)
        if report is not None and now < end_of(report[0]) + _REPORT_HOLDS:
            text = (
                "Of the worst feature, the share of values that serving used and that were wrong, on the newest day compared."
            )
            yield GaugeMetricFamily("jishi_online_parity_wrong_ratio", text, report[1])

    def _newest_report(self, newest: TableVersion) -> tuple[date, float] | None:
        """The newest UTC date that was compared, and the share of wrong values of its worst feature."""
        snapshot = newest.snapshots.get(ONLINE_PARITY.name)
        if snapshot is None:
            return None
        if self._parity is None or self._parity[0] != snapshot:
            name = ONLINE_PARITY.name.replace("/", "_")
            with open_lake(LakeVersion(self._settings, newest)) as lake:
                sql = f"select read_on, max(drift) from {name} group by 1 order by 1 desc limit 1"
                rows = lake.execute(sql).fetchall()
            self._parity = (snapshot, rows[0] if rows else None)
        return self._parity[1]


def main() -> None:
    """Serve until a signal."""
    log_as_json("exporter")
    settings = get_settings()
    registry = CollectorRegistry()
    registry.register(PlatformCollector(settings))
    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    server, thread = start_http_server(settings.exporter_port, settings.host, registry)
    logging.getLogger("exporter").info("http://%s:%d/metrics", settings.host, settings.exporter_port)
    stop.wait()
    server.shutdown()
    thread.join()


if __name__ == "__main__":
    main()
