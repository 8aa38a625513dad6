"""Running values are merged where they are written, so that no writer can take back what another one knew.

A value of a window is whole by itself: the newest one wins. A last-n list or a first-seen instant sums up all that its sender
knows, and a sender may know less than the store: the stream knows nothing of imported history, and a log that was cut short
forgets. So the entries of both rows are put together, newest first by the times beside them, and the earliest instant stays.
The merge gives the same row in whatever order and however often rows arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from feast.protos.feast.types.Value_pb2 import Int64List, StringList, Value

from feature_repo.monotonic import LOG_OFFSET, Row, StoredValues, epoch_us, instant
from jishi.features import Feature

MERGED = ("last_n", "first_seen")


def is_merged(members: Sequence[Feature]) -> bool:
    """Whether rows of a view are merged; all others are whole by themselves."""
    return members[0].aggregation in MERGED


def merged_row(members: Sequence[Feature], held: StoredValues, new: Row) -> Row | None:
    """The row to write for a new one where the store holds ``held``; None when that says all that the new one says.

    Its place is the new one's, or the one right behind the held one's where that is newer.
    """
    held_at, held_values = held
    if held_at is None or held_values is None:
        return new
    entity_key, values, at, created_at = new
    places = [_place(held_at, held_values), _place(at, values)]
    older, newer = (held_values, values) if places[0] <= places[1] else (values, held_values)
    content = (
        _first_seen(members[0], older, newer) if members[0].aggregation == "first_seen" else _last_n(members, older, newer)
    )
    if all(held_values.get(name) == value for name, value in content.items()) and places[1] <= places[0]:
        return None
    event_us, offset = max(places[1], (places[0][0], places[0][1] + 1))
    return entity_key, {**newer, **content, LOG_OFFSET: Value(int64_val=offset)}, instant(event_us), created_at


def _first_seen(feature: Feature, older: Mapping[str, Value], newer: Mapping[str, Value]) -> dict[str, Value]:
    known = [values[feature.name].int64_val for values in (older, newer) if values[feature.name].HasField("int64_val")]
    return {feature.name: Value(int64_val=min(known)) if known else Value()}


def _last_n(members: Sequence[Feature], older: Mapping[str, Value], newer: Mapping[str, Value]) -> dict[str, Value]:
    """Entries of both rows. What both hold is there once: an entry is told from another by its value and time."""
    entries, times = members
    first = _timed(entries, times, newer)
    missing = Counter(_timed(entries, times, older)) - Counter(first)
    pairs = [*first, *missing.elements()]
    pairs.sort(key=lambda pair: -pair[0])  # stable: of one millisecond the newer row's stay first
    kept = pairs[: entries.n]
    return {
        entries.name: Value(string_list_val=StringList(val=[entry for _, entry in kept])),
        times.name: Value(int64_list_val=Int64List(val=[known_ms for known_ms, _ in kept])),
    }


def _timed(entries: Feature, times: Feature, values: Mapping[str, Value]) -> list[tuple[int, str]]:
    listed = list(values[entries.name].string_list_val.val)
    known_ms = list(values[times.name].int64_list_val.val) if times.name in values else []
    return list(zip(known_ms or [0] * len(listed), listed, strict=True))


def _place(at: datetime, values: Mapping[str, Any]) -> tuple[int, int]:
    return epoch_us(at), values[LOG_OFFSET].int64_val if LOG_OFFSET in values else 0
