"""Rows of the feature topic as Feast writes them to an online store.

They are made value by value. ``FeatureStore.push`` goes through a data frame and Arrow, whose fixed cost a batch is that of
hundreds of rows, and batches are small where a value has to be readable at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Int64List, StringList, Value

from feature_repo.monotonic import Row
from jishi.features import ENTITY_KEYS, Feature
from jishi.features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, LOG_OFFSET, VALID_UNTIL
from jishi.features.message import FeatureRow

MAKE: dict[str, Callable[[Any], Value]] = {
    "string": lambda value: Value(string_val=value),
    "int64": lambda value: Value(int64_val=value),
    "double": lambda value: Value(double_val=value),
    "list<string>": lambda value: Value(string_list_val=StringList(val=value)),
    "list<int64>": lambda value: Value(int64_list_val=Int64List(val=value)),
}


def proto_row(row: FeatureRow, members: Sequence[Feature]) -> Row:
    """One row of a streamed view: entity key, values by field, event and created timestamp."""
    columns = row.columns
    keys = ("shop_id", *ENTITY_KEYS[members[0].entity])
    entity_key = EntityKey(join_keys=keys, entity_values=[Value(string_val=columns[key]) for key in keys])
    kinds = {feature.name: feature.value_type for feature in members} | {VALID_UNTIL: "int64", LOG_OFFSET: "int64"}
    values = {name: Value() if columns[name] is None else MAKE[kind](columns[name]) for name, kind in kinds.items()}
    return entity_key, values, columns[EVENT_TIMESTAMP], columns[CREATED_TIMESTAMP]
