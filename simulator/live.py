"""Post live traffic to a collector at a steady rate, and say exactly what was posted and what was acknowledged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from simulator.live_events import BATCH, LiveEvents
from simulator.world import SimulationPlan

_TRIES = 12
_LONGEST_WAIT_S = 5.0
Progress = Callable[[Iterable[int]], Iterable[int]]


class LiveError(RuntimeError):
    """The collector refused, or could not be reached for good."""


@dataclass
class Report:
    """What a run posted. ``resent`` events belong to requests whose answer was lost: they may have been accepted twice."""

    shop_id: str
    run_id: str
    posted: int = 0
    acknowledged: int = 0
    failed: int = 0
    resent: int = 0
    retries: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    planted: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    elapsed_s: float = 0.0
    last_error: str = ""

    def rows(self) -> list[tuple[str, int]]:
        """Rows of the table for people."""
        rows = [("posted", self.posted), ("acknowledged", self.acknowledged), ("requests tried again", self.retries)]
        rows += [(f"answered: {name}", number) for name, number in sorted(self.statuses.items())]
        rows += [(f"planted: {kind}", self.planted[kind]) for kind in ("duplicate", "late", "future", "invalid")]
        return rows

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        counters = {name: dict(sorted(getattr(self, name).items())) for name in ("statuses", "planted", "invalid", "types")}
        plain = ("shop_id", "run_id", "posted", "acknowledged", "failed", "resent", "retries", "elapsed_s", "last_error")
        return {name: getattr(self, name) for name in plain} | counters


def post_live(
    plan: SimulationPlan,
    url: str,
    key: str,
    *,
    rate: float,
    seconds: float,
    run_id: str,
    progress: Progress = iter,
    transport: httpx.BaseTransport | None = None,
) -> Report:
    """Post ``rate × seconds`` acts (and what is planted beside them) in batches of ``BATCH``, ``rate`` acts a second.

    Raises LiveError when the collector refuses for a reason that trying again does not mend, such as a wrong key.
    """
    count = max(1, round(rate * seconds))
    events, report = LiveEvents(plan, run_id, count), Report(plan.shop_id, run_id)
    batches = events.batches()
    interval_s = BATCH / rate
    with httpx.Client(base_url=url.rstrip("/"), timeout=20, transport=transport) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        client.headers["Content-Type"] = "application/json"
        started = time.monotonic()
        for number in progress(range(-(-count // BATCH))):
            batch = next(batches)
            # A batch is full at the end of its interval; a request that is overdue goes at once.
            time.sleep(max(0.0, started + number * interval_s - time.monotonic()))
            span_ms = int(min(interval_s, 2.0) * 1000)
            _post(client, events.dated(batch, number, int(time.time() * 1000), span_ms), report)
        _post(client, events.rest(), report)
        report.elapsed_s = round(time.monotonic() - started, 3)
    report.planted, report.invalid = events.planted, events.reasons
    return report


def _post(client: httpx.Client, events: list[Any], report: Report) -> None:
    if not events:
        return
    report.posted += len(events)
    report.types.update(event.get("type", "none") if isinstance(event, dict) else "none" for event in events)
    content = orjson.dumps(events)
    for attempt in range(_TRIES):
        try:
            answer = client.post("/v1/events", content=content)
        except httpx.ConnectError as error:
            report.last_error = f"{client.base_url} cannot be reached ({error}); is the collector up? (jishi status)"
        except httpx.TransportError as error:
            report.last_error = f"the answer was lost ({type(error).__name__})"
            report.resent += len(events)
        else:
            if answer.status_code == 200:
                body: dict[str, Any] = answer.json()
                report.acknowledged += int(body["accepted"])
                report.statuses.update(str(result["status"]) for result in body["results"])
                return
            report.last_error = f"HTTP {answer.status_code}: {answer.text[:300]}"
            if answer.status_code not in (429, 503):
                raise LiveError(f"the collector refused a batch of shop {report.shop_id!r}: {report.last_error}")
        report.retries += 1
        time.sleep(min(_LONGEST_WAIT_S, 0.2 * 2**attempt))
    report.failed += len(events)
    if report.acknowledged == 0:
        raise LiveError(f"{report.last_error} (tried {_TRIES} times)")
