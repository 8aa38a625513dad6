"""The ledger: what a client meant to send and what was acknowledged to it, on disk before and after each request."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Meant:
    """One event that the client meant to send: ``turn`` numbers the events of its person in the order of sending."""

    event_id: str
    person_id: str
    turn: int


@dataclass
class Account:
    """What a ledger says: every id that was meant, and those that were acknowledged with how often."""

    meant: dict[str, Meant] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)
    answers: list[tuple[float, float, int]] = field(default_factory=list)

    @classmethod
    def of(cls, file: Path) -> Account:
        """Read a ledger. ``answers`` are (epoch seconds, seconds from the first try, events) of each acknowledged batch."""
        account = cls()
        batches: dict[int, list[str]] = {}
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            if "meant" in entry:
                events = [Meant(*event) for event in entry["meant"]]
                batches[entry["batch"]] = [event.event_id for event in events]
                account.meant |= {event.event_id: event for event in events}
                continue
            for event_id in batches[entry["batch"]]:
                account.acknowledged[event_id] = account.acknowledged.get(event_id, 0) + 1
            account.answers.append((entry["at"], entry["after_s"], len(batches[entry["batch"]])))
        return account


class SentLedger:
    """Writes the ledger; safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = file.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._batches = 0

    def mean(self, events: list[Meant]) -> int:
        """Note that a batch is about to be sent; returns its number."""
        with self._lock:
            self._batches += 1
            self._write({"batch": self._batches, "meant": [[e.event_id, e.person_id, e.turn] for e in events]})
            return self._batches

    def acknowledge(self, batch: int, *, at: float, after_s: float) -> None:
        """Note that a batch was acknowledged ``after_s`` seconds after its first try, at epoch seconds ``at``."""
        with self._lock:
            self._write({"batch": batch, "at": at, "after_s": after_s})

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
