"""Last items as a Python team would write them in Flink: Kafka to Kafka, a keyed process function, process mode.

``python -m bench.freshness_baseline`` (in the flink environment, settings of the platform) takes the place of the platform's
job: events of ``jishi.events`` become messages of the view ``person_last_20`` in ``jishi.features``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from bench.features_baseline import worker_options
from flink_jobs import engine
from flink_jobs.state_folder import StateFolder
from jishi import topics
from jishi.features import FEATURES
from jishi.paths import Paths
from jishi.settings import get_settings

LAST_ITEMS = next(feature for feature in FEATURES if feature.name == "last_items")


class LastItems(KeyedProcessFunction):
    """The last items of a person. Keyed by shop and person."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state."""
        self._items = runtime_context.get_state(ValueStateDescriptor("items", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: dict[str, Any], ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        """The message after one more act."""
        items = [value["item_id"], *(self._items.value() or [])[: (LAST_ITEMS.n or 1) - 1]]
        self._items.update(items)
        message = {
            "view": LAST_ITEMS.view,
            "shop_id": value["shop_id"],
            "entity_id": value["person_id"],
            "as_of_ms": value["collected_at_ms"],
            "valid_until_ms": None,
            "values": {LAST_ITEMS.name: items},
        }
        yield orjson.dumps(message).decode()


def run() -> None:
    """Run the job until the process is ended."""
    settings = get_settings()
    paths = Paths.of(settings)
    jvm = engine.start_jvm(paths, settings.flink_jvm)
    options = engine.realtime_options(settings, paths, checkpoints=StateFolder.on_disk(paths.flink), resume_from=None)
    configuration = Configuration()
    for key, value in (options | worker_options()).items():
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(settings.kafka_bootstrap)
        .set_topics(topics.EVENTS.name)
        .set_group_id("bench")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(settings.kafka_bootstrap)
        .set_property("linger.ms", "0")
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(topics.FEATURES.name)
            # A compacted topic takes no record without a key; PyFlink's key schema sees the same element as the value's.
            .set_key_serialization_schema(SimpleStringSchema())
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        .build()
    )
    (
        environment.from_source(source, WatermarkStrategy.no_watermarks(), "log")
        .map(orjson.loads)
        .filter(lambda row: row["type"] in LAST_ITEMS.acts and row["person_id"] is not None and row["item_id"] is not None)
        .key_by(lambda row: (row["shop_id"], row["person_id"]))
        .process(LastItems(), Types.STRING())
        .sink_to(sink)
    )
    try:
        environment.execute("last items in Python")
    finally:
        engine.stop_jvm(jvm)


if __name__ == "__main__":
    run()
