"""Prometheus metrics of serving: requests as they happen, state as it is at each scrape.

The address is open to every storefront, so no metric names a shop; a shop's key opens its state.
"""

from __future__ import annotations

from collections import Counter as CountOf
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.offers import OFFERED
from serving.recent import Recent
from serving.served_log import ServedLog
from serving.shop_state import ShopStates
from serving.stream import StreamHealth
from serving.trials import Rung
from serving.worker_metrics import WorkerMetrics, silent_workers

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class ServingMetrics:
    """All metrics of one serving process, in a registry of their own; ``workers`` reaches those of others on the same port."""

    def __init__(
        self, states: ShopStates, stream: StreamHealth, recent: Recent, log: ServedLog, now: Callable[[], float]
    ) -> None:
        self.workers: WorkerMetrics | None = None
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "jishi_recommendation_requests",
            "Answers by HTTP status and rung.",
            ["status", "served_by"],
            registry=self._registry,
        )
        self._trials = Counter(
            "jishi_ladder_trials", "Answers on which a lower rung of the ladder was tried.", ["rung"], registry=self._registry
        )
        self._offered = Counter(
            "jishi_offered_items",
            "Items in lists that what is new or on sale brought, by the source, where a release has quotas of them.",
            ["source"],
            registry=self._registry,
        )
        self._of_kind: dict[tuple[int, str], Counter] = {}
        self._latency = Histogram(
            "jishi_recommendation_seconds",
            "Time from request to answer, seconds.",
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(StateCollector(states, stream, recent, log, now))

    def count(self, status: int, served_by: str, seconds: float) -> None:
        """Count one answer."""
        key = status, served_by
        counter = self._of_kind.get(key)
        if counter is None:
            counter = self._of_kind[key] = self._requests.labels(str(status), served_by)
        counter.inc()
        self._latency.observe(seconds)

    def count_offers(self, reasons: Iterable[str]) -> None:
        """Count the items of an answer that offers brought, by the codes of their reasons."""
        for source, number in CountOf(each for each in reasons if each in OFFERED).items():
            self._offered.labels(source).inc(number)

    def count_trial(self, rung: Rung) -> None:
        """Count one answer of a rung that was tried."""
        self._trials.labels(rung).inc()

    def of_process(self) -> list[Metric]:
        """What this process has counted, and its state."""
        return list(self._registry.collect())

    def page(self) -> bytes:
        """The text that Prometheus reads, of all processes that answer on the port."""
        counted = self.of_process()
        together = CollectorRegistry()
        together.register(_Given([*counted, silent_workers(0)] if self.workers is None else self.workers.merged(counted)))
        return generate_latest(together)


class _Given(Collector):
    """Metrics that were read already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield from self._metrics


class StateCollector(Collector):
    """Releases, catalogues, stream and online store, read at each scrape."""

    def __init__(
        self, states: ShopStates, stream: StreamHealth, recent: Recent, log: ServedLog, now: Callable[[], float]
    ) -> None:
        self._states, self._stream, self._recent, self._log, self._now = states, stream, recent, log, now

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        states = list(self._states.all())
        published = [state.release.published_at for state in states if state.release.published_at is not None]
        if published:
            age_s = self._now() - min(published)
            yield GaugeMetricFamily("jishi_release_age_seconds", "Since the oldest release in use was published.", age_s)
        failures, items = sum(state.release.failures for state in states), sum(len(state.catalogue.items) for state in states)
        yield CounterMetricFamily("jishi_release_load_failures", "Releases that could not be used.", failures)
        yield GaugeMetricFamily("jishi_catalogue_items", "Items of all catalogues.", items)
        changes = sum(state.changes for state in states)
        yield CounterMetricFamily("jishi_catalogue_changes", "Items changed by live events.", changes)
        lag = GaugeMetricFamily(
            "jishi_serving_stream_lag_records", "Records of the event log not yet read.", labels=["partition"]
        )
        for partition, behind in sorted(self._stream.lag.items()):
            lag.add_metric([str(partition)], behind)
        yield lag
        skipped = CounterMetricFamily("jishi_serving_stream_skipped", "item_changed records not applied.", labels=["reason"])
        for reason, count in sorted(self._stream.skipped.items()):
            skipped.add_metric([reason], count)
        yield skipped
        reads = CounterMetricFamily("jishi_online_store_reads", "Reads of last items by outcome.", labels=["outcome"])
        for outcome, count in sorted(self._recent.health.reads.items()):
            reads.add_metric([outcome], count)
        yield reads
        features = self._recent.features
        rows_read = CounterMetricFamily("jishi_feature_rows_read", "Feature rows by who told them.", labels=["source"])
        for source, count in features.counts.items():
            rows_read.add_metric([source], count)
        yield rows_read
        yield GaugeMetricFamily("jishi_feature_table_rows", "Feature rows held in memory.", len(features.table))
        served = CounterMetricFamily("jishi_served_values", "Sampled values for online parity by outcome.", labels=["outcome"])
        served.add_metric(["logged"], self._log.logged)
        served.add_metric(["dropped"], self._log.dropped)
        yield served
