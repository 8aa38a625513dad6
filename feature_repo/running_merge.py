"""Running values are merged where they are written (``jishi.features.newest``), so that no writer takes back what another one
knew. Here rows of the store become plain ones for that rule, and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.monotonic import Row, StoredValues, epoch_us, instant
from feature_repo.proto_rows import MAKE
from jishi.features import Feature
from jishi.features.columns import LOG_OFFSET
from jishi.features.newest import KeptRow, newest

_PLAIN: dict[str, Callable[[Value], Any]] = {
    "int64": lambda value: value.int64_val if value.HasField("int64_val") else None,
    "list<string>": lambda value: list(value.string_list_val.val),
    "list<int64>": lambda value: list(value.int64_list_val.val),
}


def merged_row(members: Sequence[Feature], held: StoredValues, new: Row) -> Row | None:
    """The row to write for a new one where the store holds ``held``; None when that says all that the new one says."""
    held_at, held_values = held
    if held_at is None or held_values is None:
        return new
    entity_key, values, at, created_at = new
    plain = KeptRow(epoch_us(held_at), _offset(held_values), _plain(members, held_values))
    kept = newest(members, plain, KeptRow(epoch_us(at), _offset(values), _plain(members, values)))
    if kept is None:
        return None
    rest = values if (epoch_us(at), _offset(values)) >= plain.place else held_values
    content = {
        feature.name: Value() if (value := kept.values[feature.name]) is None else MAKE[feature.value_type](value)
        for feature in members
    }
    return entity_key, {**rest, **content, LOG_OFFSET: Value(int64_val=kept.tie)}, instant(kept.at_us), created_at


def _plain(members: Sequence[Feature], values: Mapping[str, Value]) -> dict[str, Any]:
    return {each.name: _PLAIN[each.value_type](values[each.name]) for each in members if each.name in values}


def _offset(values: Mapping[str, Value]) -> int:
    return values[LOG_OFFSET].int64_val if LOG_OFFSET in values else 0
