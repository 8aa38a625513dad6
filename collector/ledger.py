"""What was counted in segments that are no more: accepted events by shop, up to a seq.

The count of accepted events is one half of the reconciliation and must stay exact for ever, while segments must not. The ledger
takes over the counts of a segment before the segment is deleted. It is replaced in one step and carries a checksum.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from collector.wal.segments import WalCorrupt
from jishi.files import write_atomically


@dataclass(frozen=True)
class RetiredLedger:
    """``shops`` counts the events with a seq below ``upto``; segments count the rest."""

    upto: int = 0
    shops: Counter[str] = field(default_factory=Counter)

    def taking(self, following: int, counts: Counter[str]) -> RetiredLedger:
        """The ledger with the counts of the next segment, behind which the log goes on with ``following``."""
        return RetiredLedger(following, self.shops + counts)


def read_ledger(folder: Path) -> RetiredLedger:
    """The ledger of a write-ahead log, an empty one where nothing was deleted yet. Raises WalCorrupt when it is damaged."""
    file = ledger_file(folder)
    try:
        text, _, checksum = file.read_text().rstrip("\n").rpartition(" ")
    except FileNotFoundError:
        return RetiredLedger()
    if checksum != f"{crc32(text.encode()):08x}":
        raise WalCorrupt(f"{file} is damaged, it counts the events of segments that were deleted; bring it back from a backup")
    payload = json.loads(text)
    ledger = RetiredLedger(payload["upto"], Counter(payload["shops"]))
    if ledger.shops.total() != ledger.upto:
        raise WalCorrupt(f"{file} counts {ledger.shops.total()} events up to seq {ledger.upto}; bring it back from a backup")
    return ledger


def write_ledger(folder: Path, ledger: RetiredLedger) -> None:
    """Replace the ledger in one step."""
    text = json.dumps({"upto": ledger.upto, "shops": dict(sorted(ledger.shops.items()))})
    write_atomically(ledger_file(folder), f"{text} {crc32(text.encode()):08x}\n")


def ledger_file(folder: Path) -> Path:
    """Where the ledger lies."""
    return folder / "deleted.counts"
