"""The last events of each shop and what became of them, in memory: for people who look, never for counting.

It begins empty at each start of the collector. Outcomes are as far as an event itself and the collector's clock show: what is
``good`` here may turn out late when the event log was down.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from collector.live.details import detail_of
from collector.live.fixes import fix_of
from collector.refusals import RequestRefused
from jishi.contract import Record
from jishi.contract.sender import sent_id
from jishi.outcomes import outcome_without_history
from jishi.settings import Settings

KEPT = 100  # events of a shop
KEPT_SHOPS = 1000  # those that sent last; about 100 kB each
SHOWN = 600  # characters of an event


class Arrival(NamedTuple):
    """One event, or one request that was refused as a whole (``refused``)."""

    number: int
    at_ms: int
    sent_by: str
    is_test: bool
    event_id: str | None
    type: str | None
    outcome: str
    reason: str | None
    field: str | None
    detail: str | None
    line: str

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        row = self._asdict()
        at = datetime.fromtimestamp(row.pop("at_ms") / 1000, UTC).isoformat(timespec="milliseconds")
        return row | {"at": at, "detail": detail_of(self.detail), "fix": fix_of(self.reason)}


class RecentEvents:
    """The last ``KEPT`` arrivals of each of the last ``KEPT_SHOPS`` shops, numbered from 1 by shop."""

    def __init__(self, settings: Settings, started_ms: int) -> None:
        self._lateness_s, self._tolerance_s = settings.allowed_lateness_s, settings.future_tolerance_s
        self._since = datetime.fromtimestamp(started_ms / 1000, UTC).isoformat(timespec="milliseconds")
        self._shops: OrderedDict[str, deque[Arrival]] = OrderedDict()

    def of_shop(self, shop_id: str, after: int = 0) -> dict[str, Any]:
        """The shop's arrivals behind number ``after``, newest first, and since when arrivals are kept."""
        arrivals = self._shops.get(shop_id, ())
        events = [arrival.as_json() for arrival in reversed(arrivals) if arrival.number > after]
        return {"since": self._since, "events": events}

    def note_batch(
        self, shop_id: str, records: list[Record], results: list[dict[str, Any]], sent_by: str, at_ms: int, *, is_test: bool
    ) -> None:
        """Take events of a batch over, of a large one the last."""
        pairs = zip(records, results, strict=True)
        number = self._newest(shop_id) + len(records) - min(KEPT, len(records))
        for record, result in islice(pairs, max(0, len(records) - KEPT), None):
            number += 1
            outcome, reason, detail = self._outcome(record, result, at_ms)
            arrival = Arrival(
                *(number, at_ms, sent_by, is_test, sent_id(record["event_id"]), record["type"], outcome, reason),
                *(result["field"], detail, record["line"][:SHOWN]),
            )
            self._arrivals(shop_id).append(arrival)

    def note_refusal(self, shop_id: str, is_test: bool, refused: RequestRefused, at_ms: int) -> None:
        """Take a request over of which nothing was accepted."""
        number = self._newest(shop_id) + 1
        arrival = Arrival(
            *(number, at_ms, "request", is_test, None, None, "refused", refused.code, refused.field, str(refused), "")
        )
        self._arrivals(shop_id).append(arrival)

    def _outcome(self, record: Record, result: dict[str, Any], at_ms: int) -> tuple[str, str | None, str | None]:
        if result["status"] == "quarantined":
            return "invalid", result["reason"], result["detail"]
        if result["status"] == "duplicate":
            return "duplicate", "duplicate", result["detail"]
        occurred_ms = record["occurred_at_ms"]
        outcome = outcome_without_history(
            invalid_reason=None,
            occurred_at_ms=occurred_ms,
            received_at_ms=at_ms,
            allowed_lateness_s=self._lateness_s,
            future_tolerance_s=self._tolerance_s,
        )
        if outcome in ("late", "future") and occurred_ms is not None:
            apart_s = abs(at_ms - occurred_ms) / 1000
            side = "before it arrived" if outcome == "late" else "after it arrived"
            return outcome.value, outcome.value, f"occurred_at is {apart_s:,.0f} s {side}"
        return outcome.value, None, None

    def _newest(self, shop_id: str) -> int:
        arrivals = self._shops.get(shop_id)
        return arrivals[-1].number if arrivals else 0

    def _arrivals(self, shop_id: str) -> deque[Arrival]:
        arrivals = self._shops.setdefault(shop_id, deque(maxlen=KEPT))
        self._shops.move_to_end(shop_id)
        if len(self._shops) > KEPT_SHOPS:
            self._shops.popitem(last=False)
        return arrivals
