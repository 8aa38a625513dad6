"""Send a file of events to a collector over HTTP, as a shop would."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from jishi.command_line import KEY_VARIABLE
from jishi.contract.reading import read_event

MAX_BATCH_BYTES = 900_000
TRIES = 8


class SendFailed(RuntimeError):
    """Something that sending again does not heal; the message says what to do."""


@dataclass
class SendSummary:
    """What became of a file: events acknowledged, those of them in quarantine by reason, requests sent again."""

    accepted: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0


def known_key(keys_file: Path, shop_id: str) -> str:
    """The write key that ``jishi`` keeps for its own clients. Raises SendFailed when there is none."""
    known = json.loads(keys_file.read_text(encoding="utf-8")) if keys_file.exists() else {}
    if shop_id not in known:
        raise SendFailed(f"{keys_file} holds no key of shop {shop_id!r}; give the shop's write key as {KEY_VARIABLE}")
    return str(known[shop_id]["write"])


def send_file(file: Path, *, url: str, key: str, batch: int = 100, rate: float | None = None) -> SendSummary:
    """Post the JSON lines of ``file`` in order, at most ``rate`` events a second. Raises SendFailed."""
    sent = SendSummary()
    began = time.monotonic()
    with httpx.Client(headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"}, timeout=30) as client:
        for lines in _batches(file, batch):
            if rate is not None:
                time.sleep(max(0.0, began + sent.accepted / rate - time.monotonic()))
            answer = _post(client, f"{url.rstrip('/')}/v1/events", b"[" + b",".join(lines) + b"]", sent)
            sent.accepted += answer["accepted"]
            sent.quarantined.update(r["reason"] for r in answer["results"] if r["status"] == "quarantined")
    sent.seconds = time.monotonic() - began
    return sent


def _batches(file: Path, batch: int) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    try:
        with file.open("rb") as source:
            for number, raw in enumerate(source, 1):
                line = raw.strip()
                if not line:
                    continue
                value, refusal = read_event(line)  # an odd event is the collector's to refuse; a torn one would tear the others
                if value is None and refusal is not None:
                    raise SendFailed(f"{file}, line {number} is not JSON: {refusal.detail}; repair or remove it")
                if lines and (len(lines) >= batch or size + len(line) > MAX_BATCH_BYTES):
                    yield lines
                    lines, size = [], 0
                lines.append(line)
                size += len(line) + 1
    except OSError as error:
        raise SendFailed(f"cannot read {file}: {error.strerror}") from None
    if lines:
        yield lines


def _post(client: httpx.Client, url: str, body: bytes, sent: SendSummary) -> dict[str, Any]:
    """Post one batch until it is acknowledged, waiting as long as ``Retry-After`` asks. Raises SendFailed."""
    problem = ""
    for attempt in range(TRIES):
        sent.requests += 1
        sent.retries += attempt > 0
        try:
            answer = client.post(url, content=body)
        except httpx.TransportError as error:
            problem = f"{url} cannot be reached ({type(error).__name__}: {error}); is the collector running?"
            wait_s = min(0.2 * 2**attempt, 5.0)
        else:
            if answer.status_code == 200:
                acknowledged: dict[str, Any] = answer.json()
                return acknowledged
            problem = _problem(url, answer)
            if answer.status_code not in (429, 503):
                break
            wait_s = float(answer.headers.get("Retry-After", 1))
        time.sleep(wait_s)
    raise SendFailed(f"{problem} ({sent.accepted} events were acknowledged before)")


def _problem(url: str, answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"{url} answered {answer.status_code}: {answer.text[:200]}"
    return f"{url} answered {answer.status_code} {error['code']}, {error['field']}: {error['message']}"
