"""What was counted in segments that are no more: accepted events by shop and day, up to a seq.

The count of accepted events is one half of the reconciliation and must stay exact for ever, while segments must not. The ledger
takes over the counts of a segment before the segment is deleted. It is replaced in one step and carries a checksum. Days are
UTC dates of the collector's clock; the newest ``KEPT_DAYS`` are kept apart, the sums by shop for ever.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from collector.wal.segments import WalCorrupt
from jishi.files import write_atomically

KEPT_DAYS = 40


@dataclass
class DayCounts:
    """Events of one day by shop; every one of them has a seq from ``first`` up to, not with, ``upto``."""

    first: int
    upto: int
    shops: Counter[str] = field(default_factory=Counter)


@dataclass
class EntryCounts:
    """Counts of a stretch of the log: events by shop, the same by UTC date, and how many entries cannot be read."""

    shops: Counter[str] = field(default_factory=Counter)
    days: dict[str, DayCounts] = field(default_factory=dict)
    lost: int = 0

    def add(self, shop_id: str, day: str, seq: int) -> None:
        """Count one event."""
        self.shops[shop_id] += 1
        of_day = self.days.setdefault(day, DayCounts(seq, seq))
        of_day.first, of_day.upto = min(of_day.first, seq), max(of_day.upto, seq + 1)
        of_day.shops[shop_id] += 1

    def __add__(self, other: EntryCounts) -> EntryCounts:
        days = {day: DayCounts(counts.first, counts.upto, counts.shops.copy()) for day, counts in self.days.items()}
        for day, counts in other.days.items():
            total = days.setdefault(day, DayCounts(counts.first, counts.upto))
            total.first, total.upto = min(total.first, counts.first), max(total.upto, counts.upto)
            total.shops += counts.shops
        return EntryCounts(self.shops + other.shops, days, self.lost + other.lost)

    def as_json(self) -> dict[str, Any]:
        """As it is kept in files."""
        days = {
            day: {"first": counts.first, "upto": counts.upto, "shops": dict(sorted(counts.shops.items()))}
            for day, counts in self.days.items()
        }
        return {"shops": dict(sorted(self.shops.items())), "lost": self.lost, "days": dict(sorted(days.items()))}

    @classmethod
    def of_json(cls, payload: dict[str, Any]) -> EntryCounts:
        """From a file; one of an earlier version has no days."""
        days = {
            day: DayCounts(counts["first"], counts["upto"], Counter(counts["shops"]))
            for day, counts in payload.get("days", {}).items()
        }
        return cls(Counter(payload["shops"]), days, payload.get("lost", 0))


@dataclass(frozen=True)
class RetiredLedger:
    """``counts`` are those of the events with a seq below ``upto``; segments count the rest."""

    upto: int = 0
    counts: EntryCounts = field(default_factory=EntryCounts)

    @property
    def shops(self) -> Counter[str]:
        """Events by shop."""
        return self.counts.shops

    def taking(self, following: int, counts: EntryCounts) -> RetiredLedger:
        """The ledger with the counts of the next segment, behind which the log goes on with ``following``."""
        total = self.counts + counts
        total.days = dict(sorted(total.days.items())[-KEPT_DAYS:])
        return RetiredLedger(following, total)


def read_ledger(folder: Path) -> RetiredLedger:
    """The ledger of a write-ahead log, an empty one where nothing was deleted yet. Raises WalCorrupt when it is damaged."""
    file = ledger_file(folder)
    try:
        text, _, checksum = file.read_text(encoding="utf-8").rstrip("\n").rpartition(" ")
    except FileNotFoundError:
        return RetiredLedger()
    if checksum != f"{crc32(text.encode()):08x}":
        raise WalCorrupt(f"{file} is damaged, it counts the events of segments that were deleted; bring it back from a backup")
    payload = json.loads(text)
    ledger = RetiredLedger(payload["upto"], EntryCounts.of_json(payload))
    if (counted := ledger.shops.total() + ledger.counts.lost) != ledger.upto:
        raise WalCorrupt(f"{file} counts {counted} events up to seq {ledger.upto}; bring it back from a backup")
    return ledger


def write_ledger(folder: Path, ledger: RetiredLedger) -> None:
    """Replace the ledger in one step."""
    text = json.dumps({"upto": ledger.upto} | ledger.counts.as_json())
    write_atomically(ledger_file(folder), f"{text} {crc32(text.encode()):08x}\n")


def ledger_file(folder: Path) -> Path:
    """Where the ledger lies."""
    return folder / "deleted.counts"
