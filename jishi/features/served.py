"""Feature values that serving used: what its log of them says, a JSON line each. It names ids, never what a person wrote.

The files are ``<UTC date of the read>/<process>.jsonl`` below ``Paths.served_values``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson


@dataclass(frozen=True)
class Served:
    """One value at the time of its use. ``value`` is None where the store had none that holds, so that the default was used;
    ``as_of_ms`` is the value's own time (epoch ms), None without a value.
    """

    shop_id: str
    entity_id: str
    feature: str
    value: Any
    as_of_ms: int | None
    read_at_ms: int

    @property
    def read_on(self) -> date:
        """UTC date of the read."""
        return datetime.fromtimestamp(self.read_at_ms / 1000, UTC).date()

    def line(self) -> bytes:
        """The line that stands in the log."""
        return orjson.dumps(asdict(self)) + b"\n"


class ServedValueUnreadable(ValueError):
    """A whole line of the log is not one of a served value; names file and line."""


def is_sampled(shop_id: str, entity_id: str, read_at_ms: int, rate: float) -> bool:
    """Whether a read belongs to the sample: the same for the same read, and true for a share ``rate`` of all reads."""
    return crc32(f"{shop_id}|{entity_id}|{read_at_ms}".encode()) < rate * 2**32


def read_served(root: Path, on: date) -> Iterator[Served]:
    """The values used on a UTC date. A last line without its end is still being written and left out.

    Raises ServedValueUnreadable.
    """
    for file in sorted((root / on.isoformat()).glob("*.jsonl")):
        for number, line in enumerate(file.read_bytes().split(b"\n")[:-1], start=1):
            try:
                yield Served(**orjson.loads(line))
            except (orjson.JSONDecodeError, TypeError) as error:
                raise ServedValueUnreadable(f"{file}, line {number}: {error}") from None
