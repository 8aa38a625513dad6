"""``python -m tests.integration.cluster.clocked_collector CLOCK serve|forward``: the collector by a clock that stands still.

The file CLOCK holds the time in epoch milliseconds. At that time events are taken; in the log a record bears the time at which
it was taken, a tick the clock's, so that two logs know the same at the same instant. The topic has to keep the times given.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
from confluent_kafka import Producer

from collector import forward
from collector.__main__ import main
from jishi import topics


def run(clock: Path) -> int:
    """The collector's command line by the clock."""

    def now_ms() -> int:
        return int(clock.read_text())

    class StampedProducer(Producer):
        def produce(self, topic: str, value: bytes, key: bytes | None = None, **options: Any) -> None:  # type: ignore[override]
            at_ms = now_ms() if value == topics.TICK else orjson.loads(value)["collected_at_ms"]
            super().produce(topic, value, key, **options, timestamp=at_ms)

    with patch.object(time, "time_ns", lambda: 1_000_000 * now_ms()), patch.object(forward, "Producer", StampedProducer):
        return main()


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv.pop(1))))
