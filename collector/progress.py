"""How far the event log has what the write-ahead log holds: the delivered prefix, and its file."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from collector.wal.reader import first_position
from collector.wal.segments import Position, WalCorrupt
from jishi.files import write_atomically


class DeliveryProgress:
    """Entries on their way, delivered in any order; ``position`` is the end of the gapless prefix that is delivered."""

    def __init__(self, start: Position) -> None:
        self.position = start
        self._under_way: deque[Position] = deque()  # positions behind the entries, ascending
        self._delivered: set[int] = set()

    def __len__(self) -> int:
        """Entries that were sent and are not behind ``position`` yet."""
        return len(self._under_way)

    def sent(self, after: Position) -> None:
        """An entry was handed to the producer; ``after`` is the position behind it."""
        self._under_way.append(after)

    def delivered(self, seq: int) -> None:
        """The broker has the entry of this seq."""
        self._delivered.add(seq)
        while self._under_way and self._under_way[0].seq - 1 in self._delivered:
            self.position = self._under_way.popleft()
            self._delivered.remove(self.position.seq - 1)


def load_position(folder: Path) -> Position:
    """Where forwarding goes on: the saved position, or the start of the log. Raises WalCorrupt for a damaged file."""
    file = _file(folder)
    if not file.exists():
        return first_position(folder)
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        return Position(int(saved["segment"]), int(saved["offset"]), int(saved["seq"]))
    except (json.JSONDecodeError, KeyError, TypeError, ValueError):
        raise WalCorrupt(f"{file} is damaged; remove it: everything is forwarded again, and readers drop the copies") from None


def save_position(folder: Path, position: Position, offsets: Mapping[int, int] | None = None) -> None:
    """Remember in one step the position, and by partition the offset behind the last record that the event log has taken."""
    taken = {str(partition): offset for partition, offset in sorted((offsets or {}).items())}
    write_atomically(_file(folder), json.dumps(asdict(position) | {"offsets": taken}))


def load_offsets(folder: Path) -> dict[int, int]:
    """The offsets that were saved with the position; none where nothing was saved."""
    try:
        saved = json.loads(_file(folder).read_text(encoding="utf-8")).get("offsets", {})
        return {int(partition): int(offset) for partition, offset in saved.items()}
    except (FileNotFoundError, json.JSONDecodeError, AttributeError, TypeError, ValueError):
        return {}


def _file(folder: Path) -> Path:
    return folder / "forwarded.json"
