"""One entry of a segment as bytes, and the check of many: what is sound, and what damage lies between sound entries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson

_HEAD = 9  # eight hexadecimal digits and a space
_SEQ = re.compile(rb'\{"collector_id":"[^"\\]*","seq":(\d+)[,}]')


def encode(record: Mapping[str, Any]) -> bytes:
    """The line of one record; ``record["seq"]`` is set."""
    body = orjson.dumps(record)
    return b"%08x %s\n" % (crc32(body), body)


def body_of(line: bytes) -> bytes | None:
    """The record's JSON of a line without its line end, or None when the line is damaged."""
    body = line[_HEAD:]
    return body if line[:_HEAD] == b"%08x " % crc32(body) else None


def seq_of(body: bytes) -> int:
    """The seq of a sound record."""
    match = _SEQ.match(body)
    return int(match[1]) if match else int(orjson.loads(body)["seq"])


@dataclass(frozen=True, slots=True)
class SoundEntry:
    """A sound entry: the bytes ``begin`` to ``end`` with its line end, its seq and its record's JSON."""

    begin: int
    end: int
    seq: int
    body: bytes


def sound_entries(data: bytes, first_seq: int) -> Iterator[SoundEntry]:
    """The sound entries of ``data`` with seqs from ``first_seq`` on, ascending. What lies between two of them is damaged: a
    torn or changed line, or one whose seq is not above the one before.
    """
    begin, seq = 0, first_seq
    while (stop := data.find(b"\n", begin)) >= 0:
        body = body_of(data[begin:stop])
        if body is not None and (entry_seq := seq_of(body)) >= seq:
            yield SoundEntry(begin, stop + 1, entry_seq, body)
            seq = entry_seq + 1
        begin = stop + 1


@dataclass(frozen=True)
class Scan:
    """What the bytes of a segment hold: ``end`` is the byte behind the last sound entry, ``next_seq`` the seq behind it.

    ``lines_behind`` counts the lines after ``end``, a torn one included: at most so many entries are damaged there.
    """

    end: int
    next_seq: int
    lines_behind: int
    has_damage: bool


def scan(data: bytes, first_seq: int) -> Scan:
    """Check every line of a segment."""
    end, next_seq, has_damage = 0, first_seq, False
    for entry in sound_entries(data, first_seq):
        has_damage = has_damage or entry.begin != end or entry.seq != next_seq
        end, next_seq = entry.end, entry.seq + 1
    behind = data[end:]
    return Scan(end, next_seq, behind.count(b"\n") + (bool(behind) and not behind.endswith(b"\n")), has_damage)
