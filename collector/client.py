"""Send events and items from a shop's server, with nothing but Python's own library.

A batch is tried again, with the same event ids, until it is acknowledged; so an event may arrive twice, and counts once.
"""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

BATCH_EVENTS = 500
BATCH_BYTES = 900_000
_AGAIN = (408, 429, 500, 502, 503, 504)


class BatchRefused(RuntimeError):
    """The collector accepted no event of a batch and would refuse the same batch again.

    ``code`` is for programs, ``field`` and ``index`` (of the batch, from 0) name what is wrong, the message says what to do.
    """

    def __init__(self, status: int, code: str, field: str, message: str, index: int | None) -> None:
        super().__init__(f"{status} {code}, {field}: {message}")
        self.status, self.code, self.field, self.index = status, code, field, index
        self.unacknowledged: Sequence[Any] = ()  # the events of this batch and those behind it, with the ids that they got


class Unreachable(RuntimeError):
    """The collector did not acknowledge a batch within the tries; the last problem is in the message.

    ``unacknowledged`` holds the events to send again, with the ids that they got: some may have arrived, and count once.
    """

    unacknowledged: Sequence[Any] = ()


@dataclass(frozen=True)
class EventResult:
    """What became of one event: ``accepted``, ``duplicate``, ``quarantined`` (or ``unchanged`` for an item), and why."""

    event_id: str | None
    status: str
    reason: str | None
    field: str | None
    detail: str | None


class Client:
    """A shop's connection to its collector; ``key`` is the shop's write key. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        shop_id: str,
        key: str,
        *,
        timeout_s: float = 30,
        tries: int = 8,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._shop_id = shop_id
        self._key = key
        self._timeout_s = timeout_s
        self._tries = tries
        self._now = now
        self._sleep = sleep

    def send(self, events: Iterable[Any], *, batch_id: str | None = None) -> list[EventResult]:
        """Send events in order and return the result of each when all are acknowledged.

        ``event_id``, ``shop_id`` and ``occurred_at`` are added where they are missing. ``batch_id`` names what is sent: an
        event without ``event_id`` gets ``<batch_id>-<its place>``, so that the same events sent again under the same name count
        once, also by another process after a crash. Raises BatchRefused or Unreachable; batches before the one at fault are
        acknowledged then, and ``unacknowledged`` of the error holds the other events with the ids and times that they got: send
        these again.
        """
        name = batch_id or str(uuid.uuid4())
        whole = (self._completed(event, f"{name}-{place}") for place, event in enumerate(events))
        return self._send_all("POST", "/v1/events", whole)

    def put_items(self, items: Iterable[dict[str, Any]]) -> list[EventResult]:
        """Put items in their whole state; those that did not change are ``unchanged``. Raises like ``send``."""
        return self._send_all("PUT", f"/v1/shops/{quote(self._shop_id)}/items", iter(items))

    def _send_all(self, method: str, path: str, entries: Iterator[Any]) -> list[EventResult]:
        results: list[EventResult] = []
        for batch, lines in _batches(entries):
            try:
                results += self._post(method, path, lines)
            except (BatchRefused, Unreachable) as error:
                error.unacknowledged = [*batch, *entries]
                raise
        return results

    def _completed(self, event: Any, event_id: str) -> Any:
        if not isinstance(event, dict):
            return event  # the collector says what is wrong with it
        occurred_at = self._now().astimezone(UTC).isoformat(timespec="milliseconds")
        missing = {"event_id": event_id, "shop_id": self._shop_id, "occurred_at": occurred_at}
        return missing | {name: value for name, value in event.items() if value is not None or name not in missing}

    def _post(self, method: str, path: str, batch: list[bytes]) -> list[EventResult]:
        body = gzip.compress(b"[" + b",".join(batch) + b"]", compresslevel=1, mtime=0)
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        problem = ""
        for attempt in range(self._tries):
            wait_s = min(0.2 * 2**attempt, 10.0)
            try:
                with urlopen(Request(self._url + path, body, headers, method=method), timeout=self._timeout_s) as answer:
                    return [_event_result(result) for result in json.load(answer)["results"]]
            except HTTPError as error:
                refused = _batch_refused(error)
                if error.code not in _AGAIN:
                    raise refused from None
                problem = str(refused)
                wait_s = max(wait_s, float(error.headers.get("Retry-After") or 0))
            except (URLError, HTTPException, OSError, json.JSONDecodeError) as error:
                problem = f"{type(error).__name__}: {error}"
            if attempt + 1 < self._tries:
                self._sleep(wait_s)
        raise Unreachable(
            f"{self._url} did not acknowledge within {self._tries} tries ({problem}); send error.unacknowledged again later"
        )


def _batches(entries: Iterator[Any]) -> Iterator[tuple[list[Any], list[bytes]]]:
    """Entries with their JSON, as many at once as one request takes. What was drawn and does not fit begins the next batch."""
    batch: list[Any] = []
    lines: list[bytes] = []
    size = 0
    for entry in entries:
        line = _line(entry)
        if batch and (len(batch) == BATCH_EVENTS or size + len(line) > BATCH_BYTES):
            yield [*batch, entry], lines
            batch, lines, size = [], [], 0
        batch.append(entry)
        lines.append(line)
        size += len(line) + 1
    if batch:
        yield batch, lines


def _line(entry: Any) -> bytes:
    """The JSON of one entry. What JSON does not have becomes a text, which the collector refuses for this entry alone."""
    try:
        text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=str)
    except (TypeError, ValueError, RecursionError) as error:
        known = {name: entry.get(name) for name in ("event_id", "shop_id", "type")} if isinstance(entry, dict) else {}
        return json.dumps(known | {"client_problem": f"{type(error).__name__}: {error}"}, default=str).encode()
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a character: JSON can say it, and the collector says what is wrong
        return json.dumps(entry, separators=(",", ":"), default=str).encode()


def _event_result(result: dict[str, Any]) -> EventResult:
    return EventResult(result["event_id"], result["status"], result["reason"], result["field"], result["detail"])


def _batch_refused(error: HTTPError) -> BatchRefused:
    try:
        body = json.load(error)["error"]
        return BatchRefused(error.code, body["code"], body["field"], body["message"], body.get("index"))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return BatchRefused(error.code, "unknown", "", "the answer is not the collector's; is the address right?", None)
