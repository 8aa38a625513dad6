"""After the last fault: wait until all that was acknowledged has arrived, and for a moment between two windows."""

from __future__ import annotations

import time
from collections.abc import Callable

from chaos.evidence import ends, written_up_to
from chaos.stage import Stage
from jishi import topics
from jishi.heartbeat import last_beat
from jishi.lake.live import LiveTail

STILL_S = 3.0
# Seconds after a full minute plus the allowed lateness, when the values of a window become known: Flink and the writer are done
# with the last window, and there is time to read the store before the next one.
_CLEAR_S = (4.0, 30.0)


class NotSettled(RuntimeError):
    """Something did not arrive within the time; the message says what."""


def settle(stage: Stage, *, began: float, timeout_s: float) -> None:
    """Wait; ``began`` is when the traffic did, in epoch seconds. Raises NotSettled."""
    deadline = time.monotonic() + timeout_s
    _wait(lambda: _is_forwarded(stage), deadline, "the forwarder does not come to the end of the write-ahead log")
    live = LiveTail(stage.settings)
    _wait(lambda: _is_archived(stage, live), deadline, "bronze does not come to the end of the event log")
    _wait(lambda: _is_clear(stage, began) and _is_written(stage), deadline, "the store does not come to the end of the topic")


def window_due(stage: Stage, at_ms: int) -> int:
    """Number of the minute whose windows were the last to become known at ``at_ms``."""
    return (at_ms - stage.settings.allowed_lateness_s * 1000) // 60_000


def _wait(holds: Callable[[], bool], deadline: float, otherwise: str) -> None:
    while not holds():
        if time.monotonic() > deadline:
            raise NotSettled(otherwise)
        time.sleep(0.5)


def _is_forwarded(stage: Stage) -> bool:
    before = last_beat(stage.paths, "forwarder")
    time.sleep(1.2)  # a life sign tells what was true up to a second ago
    beat = last_beat(stage.paths, "forwarder")
    return before is not None and beat is not None and beat.is_fresh and before.facts["lag"] == beat.facts["lag"] == 0


def _is_archived(stage: Stage, live: LiveTail) -> bool:
    beat = last_beat(stage.paths, "forwarder")
    if beat is None:
        return False
    # An entry that was damaged after it was forwarded is there, too.
    least, most = int(beat.facts["forwarded"]) - int(beat.facts["damaged"]), int(beat.facts["forwarded"])
    return least <= live.acknowledged_of(least) <= most


def _is_written(stage: Stage) -> bool:
    """Whether the feature topic has not grown for a while and all of it is in the store."""
    before = ends(stage.settings.kafka_bootstrap, topics.FEATURES)
    time.sleep(STILL_S)
    after = ends(stage.settings.kafka_bootstrap, topics.FEATURES)
    return before == after == written_up_to(stage.settings.kafka_bootstrap)


def _is_clear(stage: Stage, began: float) -> bool:
    """Whether this is a moment between two windows, and at least one that holds events is known."""
    lateness_s = stage.settings.allowed_lateness_s
    first_due = (began // 60 + 1) * 60 + lateness_s
    return time.time() > first_due and _CLEAR_S[0] < (time.time() - lateness_s) % 60 < _CLEAR_S[1]
