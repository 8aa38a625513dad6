"""The topic of features feeds the table: the same messages, by the same rule, that the writer brings to the online store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Event as Signal
from typing import Any

from confluent_kafka import Message

from jishi import topics
from jishi.features import live_views, views
from jishi.features.entity import ENTITY_KEYS, entity_id
from jishi.features.message import BadMessage, parse
from jishi.kafka import KafkaCluster
from serving.features.table import FeatureTable
from serving.log_follower import LogHealth, follow_log

# How far back a reader begins: what is older is in the store, unless its writer is further behind than this.
BEGIN_BACK_S = 900
Traced = Callable[[str, str, Mapping[str, Any]], None]
SILENT_S = 5.0  # after so long without an answer of the broker the table is not believed


def is_current(health: LogHealth) -> bool:
    """Whether the table knows what the topic holds, but for the last moments."""
    age_s = health.age_s()
    return health.has_caught_up and age_s is not None and age_s < SILENT_S


class FeatureFeed:
    """Brings messages of the topic to a table. What the writer refuses is nothing here either; ``unreadable`` counts it."""

    def __init__(self, table: FeatureTable, traced: Traced | None = None) -> None:
        self.unreadable = 0
        self._traced = traced
        self._table, self._definitions, self._live = table, views(), live_views().keys()

    def apply(self, message: Message) -> None:
        """Take over one message."""
        offset = message.offset()
        self.take(message.value(), -1 if offset is None else offset)

    def take(self, payload: bytes | None, offset: int) -> None:
        """Take over a payload from its position."""
        try:
            row = parse(payload, offset, self._definitions)
        except BadMessage:
            self.unreadable += 1
            return
        if row.view not in self._live:
            return
        members = self._definitions[row.view]
        shop_id = row.columns["shop_id"]
        key = entity_id(shop_id, [row.columns[column] for column in ENTITY_KEYS[members[0].entity]])
        self._table.put(row.view, shop_id, key, row.kept(members))
        if self._traced is not None:
            self._traced(row.view, shop_id, row.columns)


def follow_features(
    kafka: KafkaCluster, table: FeatureTable, health: LogHealth, stop: Signal, traced: Traced | None = None
) -> None:
    """Feed the table until ``stop`` is set; ``traced`` gets view, shop and columns of each row."""
    start_ms = int((time.time() - BEGIN_BACK_S) * 1000)
    follow_log(kafka, topics.FEATURES.name, FeatureFeed(table, traced).apply, health, stop, lambda: start_ms)
