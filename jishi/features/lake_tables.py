"""The lake table of each feature view, ``features/<view>``, derived from the features that travel in it."""

from __future__ import annotations

from collections.abc import Sequence

from jishi.features.definition import Feature
from jishi.features.entity import ENTITY_KEYS
from jishi.tables import BY_SHOP, TableSchema

_KINDS = {"list<string>": "strings", "list<int64>": "int64s"}


def view_table(view: str, members: Sequence[Feature]) -> TableSchema:
    """Columns as Feast reads them: keys, ``event_timestamp`` (from when the value holds), ``created_timestamp`` (the same
    instant: it could be known then and not before), ``valid_until_ms``, ``log_offset`` (0), and the features.
    """
    keys = ENTITY_KEYS[members[0].entity]
    values = {feature.name: _KINDS.get(feature.value_type, feature.value_type) for feature in members}
    times = {"event_timestamp": "instant", "created_timestamp": "instant", "valid_until_ms": "int64", "log_offset": "int64"}
    return TableSchema(
        f"features/{view}",
        f"The values of the features of view {view} of one {members[0].entity} that began to hold at event_timestamp.",
        ("shop_id", *keys, "event_timestamp"),
        {"shop_id": "string"} | dict.fromkeys(keys, "string") | times | values,
        partition=BY_SHOP,
    )
