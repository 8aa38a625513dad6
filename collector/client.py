"""Send events and items from a shop's server, with nothing but Python's own library.

A batch is tried again, with the same event ids, until it is acknowledged; so an event may arrive twice, and counts once.
"""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
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


class Unreachable(RuntimeError):
    """The collector did not acknowledge a batch within the tries; the last problem is in the message."""


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

    def send(self, events: Iterable[dict[str, Any]]) -> list[EventResult]:
        """Send events in order and return the result of each when all are acknowledged.

        ``event_id``, ``shop_id`` and ``occurred_at`` are added where they are missing. Raises BatchRefused or Unreachable;
        batches before the one at fault are acknowledged then.
        """
        whole = (self._completed(event) for event in events)
        return [result for batch in _batches(whole) for result in self._post("POST", "/v1/events", batch)]

    def put_items(self, items: Iterable[dict[str, Any]]) -> list[EventResult]:
        """Put items in their whole state; those that did not change are ``unchanged``. Raises like ``send``."""
        path = f"/v1/shops/{quote(self._shop_id)}/items"
        return [result for batch in _batches(iter(items)) for result in self._post("PUT", path, batch)]

    def _completed(self, event: dict[str, Any]) -> dict[str, Any]:
        occurred_at = self._now().astimezone(UTC).isoformat(timespec="milliseconds")
        return {"event_id": str(uuid.uuid4()), "shop_id": self._shop_id, "occurred_at": occurred_at} | event

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
            f"{self._url} did not acknowledge within {self._tries} tries ({problem}); send the events again later"
        )


def _batches(events: Iterator[dict[str, Any]]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for event in events:
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        if batch and (len(batch) == BATCH_EVENTS or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line) + 1
    if batch:
        yield batch


def _event_result(result: dict[str, Any]) -> EventResult:
    return EventResult(result["event_id"], result["status"], result["reason"], result["field"], result["detail"])


def _batch_refused(error: HTTPError) -> BatchRefused:
    try:
        body = json.load(error)["error"]
        return BatchRefused(error.code, body["code"], body["field"], body["message"], body.get("index"))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return BatchRefused(error.code, "unknown", "", "the answer is not the collector's; is the address right?", None)
