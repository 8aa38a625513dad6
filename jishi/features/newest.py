"""The monotonic rule: which of two values of one key stays, in whatever order they come. Writers of the online store keep by
it, and serving's table in memory.

A value's place is ``(at_us, tie)``: epoch microseconds, and the position in the feature topic, which orders values of one
instant. A value of a window is whole by itself: the newest one stays. A last-n list or a first-seen instant sums up all that
its sender knows, and a sender may know less than the holder: the stream knows nothing of imported history, and a log that was
cut short forgets. So the entries of both are put together, newest first by the times beside them, and the earliest instant
stays. The same row comes out in whatever order and however often rows arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jishi.features.definition import Feature

MERGED = ("last_n", "first_seen")


class KeptRow(NamedTuple):
    """The values of one view for one key: features by name, None where unknown. They hold until ``valid_until_ms`` (epoch ms;
    None: until the next value).
    """

    at_us: int
    tie: int
    values: Mapping[str, Any]
    valid_until_ms: int | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Place among all values of the key; the larger one is the newer."""
        return self.at_us, self.tie


def is_merged(members: Sequence[Feature]) -> bool:
    """Whether rows of a view are merged; all others are whole by themselves."""
    return members[0].aggregation in MERGED


def newest(members: Sequence[Feature], held: KeptRow | None, new: KeptRow) -> KeptRow | None:
    """The row to keep for a new one where ``held`` is kept; None when that says all that the new one says.

    The place of a merged row is the new one's, or the one right behind the held one's where that is newer.
    """
    if held is None:
        return new
    if not is_merged(members):
        return new if new.place > held.place else None
    older, newer = (held, new) if held.place <= new.place else (new, held)
    merge = _first_seen if members[0].aggregation == "first_seen" else _last_n
    content = merge(members, older.values, newer.values)
    if all(held.values.get(name) == value for name, value in content.items()) and new.place <= held.place:
        return None
    at_us, tie = max(new.place, (held.at_us, held.tie + 1))
    return KeptRow(at_us, tie, {**newer.values, **content}, newer.valid_until_ms)


def _first_seen(members: Sequence[Feature], older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    name = members[0].name
    known = [values[name] for values in (older, newer) if values.get(name) is not None]
    return {name: min(known, default=None)}


def _last_n(members: Sequence[Feature], older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of both rows. What both hold is there once: an entry is told from another by its value and time."""
    entries, times = members
    first = _timed(entries, times, newer)
    missing = Counter(_timed(entries, times, older)) - Counter(first)
    pairs = [*first, *missing.elements()]
    pairs.sort(key=lambda pair: -pair[0])  # stable: of one millisecond the newer row's stay first
    kept = pairs[: entries.n]
    return {entries.name: [entry for _, entry in kept], times.name: [known_ms for known_ms, _ in kept]}


def _timed(entries: Feature, times: Feature, values: Mapping[str, Any]) -> list[tuple[int, str]]:
    listed = list(values.get(entries.name) or ())
    known_ms = list(values.get(times.name) or ())
    return list(zip(known_ms or [0] * len(listed), listed, strict=True))
