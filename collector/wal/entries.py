"""One entry of a segment as bytes, and the check of many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson

_HEAD = 9  # eight hexadecimal digits and a space


def encode(record: Mapping[str, Any]) -> bytes:
    """The line of one record; ``record["seq"]`` is set."""
    body = orjson.dumps(record)
    return b"%08x %s\n" % (crc32(body), body)


def body_of(line: bytes) -> bytes | None:
    """The record's JSON of a line without its line end, or None when the line is damaged."""
    body = line[_HEAD:]
    return body if line[:_HEAD] == b"%08x " % crc32(body) else None


@dataclass(frozen=True)
class Scan:
    """What the bytes of a segment hold: ``end`` is the byte behind the last sound entry, ``next_seq`` the seq to go on with,
    ``fault`` says what stands at ``end`` when that is not the end of the bytes."""

    end: int
    next_seq: int
    fault: str | None


def scan(data: bytes, first_seq: int) -> Scan:
    """Check entries from the start of ``data`` until the end or the first that is torn, damaged or out of sequence."""
    end, seq = 0, first_seq
    while end < len(data):
        stop = data.find(b"\n", end)
        if stop < 0:
            return Scan(end, seq, "a torn entry")
        body = body_of(data[end:stop])
        if body is None:
            return Scan(end, seq, "an entry with a wrong checksum")
        entry_seq = orjson.loads(body)["seq"]
        if entry_seq != seq:
            return Scan(end, seq, f"an entry with seq {entry_seq} where {seq} belongs")
        end, seq = stop + 1, seq + 1
    return Scan(end, seq, None)
