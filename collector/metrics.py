"""What the collector counts, for Prometheus. Labels are senders, codes and reasons; never a shop, a person, a key or an event.

The address is open to everybody who can send; ``python -m collector accepted`` counts by shop, on the machine itself.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FSYNC_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_GROUP_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


class CollectorMetrics:
    """Counters of one collector."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.accepted = Counter("jishi_collector_accepted_events", "Acknowledged events", ["sent_by"], registry=registry)
        self.quarantined = Counter(
            "jishi_collector_quarantined_events",
            "Acknowledged events that the contract refuses, by reason",
            ["sent_by", "reason"],
            registry=registry,
        )
        self.duplicates = Counter(
            "jishi_collector_duplicate_events", "Acknowledged events that were known before", ["sent_by"], registry=registry
        )
        self.tests = Counter(
            "jishi_collector_test_events", "Events of test keys, which no other counter holds", ["sent_by"], registry=registry
        )
        self.filled = Counter(
            "jishi_collector_filled_events",
            "Events whose category or price came from the catalogue",
            ["sent_by"],
            registry=registry,
        )
        self.refused = Counter("jishi_collector_refused_requests", "Refused requests by code", ["code"], registry=registry)
        self.wrong_keys = Counter("jishi_collector_wrong_keys", "Requests without a known write key", registry=registry)
        self.backlog = Gauge("jishi_collector_backlog_events", "Events that wait for fsync", registry=registry)
        self.torn_bytes = Gauge("jishi_collector_torn_bytes", "Bytes cut off the tail at the last start", registry=registry)
        self.next_seq = Gauge("jishi_collector_next_seq", "Number of the next event in the write-ahead log", registry=registry)
        self.disk_failing = Gauge("jishi_collector_disk_failing", "1 while the disk refuses events", registry=registry)
        self.fsync_s = Histogram(
            "jishi_collector_fsync_seconds", "Write and fsync of one group", buckets=_FSYNC_BUCKETS, registry=registry
        )
        self.group_events = Histogram(
            "jishi_collector_group_events", "Events that shared one fsync", buckets=_GROUP_BUCKETS, registry=registry
        )

    def observe_group(self, seconds: float, events: int) -> None:
        """Count one write with its fsync."""
        self.fsync_s.observe(seconds)
        self.group_events.observe(events)
