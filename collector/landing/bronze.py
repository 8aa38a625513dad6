"""One landing file → bronze rows: the contract's verdict on every line, and the time at which the line became known."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from collector.landing.columnar import to_arrow, write_parquet
from jishi.contract import Refusal, record_of
from jishi.contract.fields import parse_instant, to_ms
from jishi.landing import LandedFile, LandingError
from jishi.tables import BRONZE_EVENTS


@dataclass(frozen=True)
class FileTask:
    """One landing file to turn into one Parquet file; ``first_seq`` is the number of its first line within the shop."""

    shop_id: str
    source: Path
    landed: LandedFile
    first_seq: int
    target: Path


@dataclass
class LineCounts:
    """How many lines were read and what the contract said of them."""

    lines: int = 0
    invalid: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> int:
        """Lines that the contract accepts; whether they are late, future or doubled is decided later."""
        return self.lines - sum(self.invalid.values())

    def add(self, other: LineCounts) -> None:
        """Add another file's counts."""
        self.lines += other.lines
        self.invalid.update(other.invalid)


def land_file(task: FileTask) -> LineCounts:
    """Check one landing file against its manifest entry and write its bronze rows. Raises LandingError on a difference."""
    try:
        content = task.source.read_bytes()
    except FileNotFoundError:
        raise LandingError(
            f"{task.source} is named in manifest.json but does not exist; write the landing files again"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != task.landed.sha256:
        raise LandingError(
            f"{task.source}: sha256 is {digest[:12]}…, manifest.json says {task.landed.sha256[:12]}…; "
            "the file changed after it was written, so write the landing files again"
        )
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if len(lines) != task.landed.lines:
        raise LandingError(f"{task.source}: {len(lines)} lines, manifest.json says {task.landed.lines}")
    rows, counts = bronze_rows(lines, shop_id=task.shop_id, first_seq=task.first_seq)
    write_parquet(to_arrow(BRONZE_EVENTS, rows), task.target)
    return counts


def bronze_rows(lines: Iterable[bytes], *, shop_id: str, first_seq: int) -> tuple[list[dict[str, Any]], LineCounts]:
    """Bronze rows of history lines, in order.

    ``received_at_ms`` is the event's ``received_at``, else its ``occurred_at``. A line that has neither became known together
    with the line before it (or, at the start of a file, with the first line that has one; 0 when none has). History did not run
    through the log, so ``log_partition`` and ``log_offset`` are null.
    """
    rows: list[dict[str, Any]] = []
    counts = LineCounts()
    collector_id = f"history:{shop_id}"
    last_known: int | None = None
    waiting: list[dict[str, Any]] = []
    for seq, line in enumerate(lines, start=first_seq):
        text = line.decode("utf-8", errors="replace")
        try:
            raw: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            raw = text
        record, verdict = record_of(raw, shop_id=shop_id, collector_id=collector_id, seq=seq, collected_at_ms=0, line=text)
        counts.lines += 1
        if isinstance(verdict, Refusal):
            counts.invalid[verdict.reason] += 1
            known = _claimed_ms(raw)
        elif verdict.received_at is not None:
            known = to_ms(verdict.received_at)
        else:
            known = record["occurred_at_ms"]
        row: dict[str, Any] = {**record, "log_partition": None, "log_offset": None}
        rows.append(row)
        if known is None:
            known = last_known
        if known is None:
            waiting.append(row)
            continue
        last_known = known
        for early in (*waiting, row):
            early["received_at_ms"] = early["collected_at_ms"] = known
        waiting.clear()
    for row in waiting:
        row["received_at_ms"] = row["collected_at_ms"] = 0
    return rows, counts


def _claimed_ms(raw: Any) -> int | None:
    """When an invalid event says that it became known: its ``received_at`` or ``occurred_at``, where one is readable."""
    if not isinstance(raw, dict):
        return None
    for name in ("received_at", "occurred_at"):
        try:
            return to_ms(parse_instant(raw.get(name)))
        except ValueError:
            continue
    return None
