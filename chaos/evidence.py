"""What the check reads: the event log, the feature topic, the archive, and the online store."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from confluent_kafka import Consumer, Message, TopicPartition

from chaos.losses import before_cut
from chaos.stage import Stage
from feature_repo.writer import GROUP
from jishi import topics
from jishi.features import Feature
from jishi.features.columns import VALID_UNTIL
from jishi.features.entity import key_values
from jishi.java import NEUTRAL_LOCALE, java_home
from jishi.lake.live import LiveTail
from jishi.topics import Topic

if TYPE_CHECKING:
    from feast import FeatureStore

Key = tuple[str, str]
_CHUNK = 500
_PRINTED = re.compile(r"\| offset: (?P<offset>\d+) LogAppendTime: (?P<at_ms>\d+) .*? payload: (?P<payload>\{.*)")


class LogUnreadable(RuntimeError):
    """The broker did not give a topic to its end."""


def read_log(stage: Stage) -> tuple[list[dict[str, Any]], int]:
    """Records of the event log by partition and offset, with the columns of ``jishi.tables.BRONZE_EVENTS``, and the instant
    (epoch ms) up to which every partition has been read.
    """
    rows = []
    last: dict[int | None, int] = {}
    for message in read_topic(stage.settings.kafka_bootstrap, topics.EVENTS):
        last[message.partition()] = message.timestamp()[1]
        if message.value() == topics.TICK:
            continue
        known = {"received_at_ms": message.timestamp()[1], "log_partition": message.partition(), "log_offset": message.offset()}
        rows.append(orjson.loads(message.value() or b"null") | known)
    return rows, min(last.values())


def read_lost(stage: Stage, log: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Of each cut of the log the records that it took, with the place and time that they had; ``log`` is what is left.

    Raises LogUnreadable.
    """
    there = set(map(_reading_of, log))
    cuts = [
        [row for partition, file in files.items() for row in _rows_of(stage, partition, file)] for files in before_cut(stage)
    ]
    return [[row for row in rows if _reading_of(row) not in there] for rows in cuts]


def known_before(archive: Iterable[dict[str, Any]], lost: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the stream may have read until a cut took ``lost``, in the order in which each partition knew it."""
    until_ms = max(row["received_at_ms"] for row in lost)
    known = {_reading_of(row): row for row in (*lost, *archive) if row["received_at_ms"] <= until_ms}
    return sorted(known.values(), key=lambda row: (row["log_partition"], row["received_at_ms"], row["log_offset"]))


def _reading_of(row: Mapping[str, Any]) -> tuple[int, int, int]:
    """Place and time: after a cut, other records come to the same offsets."""
    return row["log_partition"], row["log_offset"], row["received_at_ms"]


def _rows_of(stage: Stage, partition: int, segment: Path) -> Iterator[dict[str, Any]]:
    """Records of a segment of the event log, as Kafka's own tool prints them."""
    java = [
        str(java_home(stage.paths.envs) / "bin" / "java"),
        "-Xmx256m",
        *NEUTRAL_LOCALE,
        "-cp",
        f"{stage.paths.jars}/kafka/*",
    ]
    command = [*java, "kafka.tools.DumpLogSegments", "--print-data-log", "--files", str(segment)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise LogUnreadable(f"{segment}: {done.stderr.strip()[-500:]}")
    for line in done.stdout.splitlines():
        if (match := _PRINTED.match(line)) is not None and match["payload"].encode() != topics.TICK:
            place = {"log_partition": partition, "log_offset": int(match["offset"]), "received_at_ms": int(match["at_ms"])}
            yield orjson.loads(match["payload"]) | place


def read_archive(stage: Stage) -> list[dict[str, Any]]:
    """Rows of the stream's bronze in the order in which each partition knew them."""
    rows = LiveTail(stage.settings).rows().to_pylist()
    return sorted(rows, key=lambda row: (row["log_partition"], row["received_at_ms"], row["log_offset"]))


def write_messages(stage: Stage, folder: Path, *, up_to_ms: int) -> int:
    """Write the messages of the feature topic that are known by ``up_to_ms`` in the form of Flink's file sink; how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / "part-0").open("w", encoding="utf-8") as out:
        for message in read_topic(stage.settings.kafka_bootstrap, topics.FEATURES):
            text = (message.value() or b"").decode()
            if json.loads(text)["as_of_ms"] <= up_to_ms:
                out.write(json.dumps({"message_key": (message.key() or b"").decode(), "message": text}) + "\n")
                count += 1
    return count


def read_store(store: FeatureStore, view: str, members: tuple[Feature, ...], keys: list[Key]) -> Iterator[dict[str, Any]]:
    """What the online store holds of one view: the features by name and ``valid_until_ms``, in the order of ``keys``."""
    names = [*(feature.name for feature in members), VALID_UNTIL]
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        rows = [{"shop_id": shop_id, **key_values(members[0].entity, identity)} for shop_id, identity in chunk]
        values = store.get_online_features([f"{view}:{name}" for name in names], rows).to_dict()
        yield from ({name: values[name][place] for name in names} for place in range(len(chunk)))


def read_topic(bootstrap: str, topic: Topic) -> Iterator[Message]:
    """Every message of a topic, partition by partition. Raises LogUnreadable."""
    consumer = _consumer(bootstrap, "jishi-chaos")
    try:
        for number in range(topic.partitions):
            partition = TopicPartition(topic.name, number, 0)
            low, high = consumer.get_watermark_offsets(partition, timeout=10)
            consumer.assign([partition])
            at = low
            while at < high:
                message = consumer.poll(10)
                if message is None or message.error() is not None:
                    raise LogUnreadable(f"{topic.name} partition {number} ends at offset {at} of {high}")
                at = (message.offset() or 0) + 1
                yield message
    finally:
        consumer.close()


def ends(bootstrap: str, topic: Topic) -> list[int]:
    """The offset behind the last message of each partition."""
    consumer = _consumer(bootstrap, "jishi-chaos")
    try:
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        return [consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
    finally:
        consumer.close()


def written_up_to(bootstrap: str) -> list[int]:
    """The offset up to which the feature writer has written each partition of the feature topic; 0 where it has not begun."""
    consumer = _consumer(bootstrap, GROUP)
    try:
        places = [TopicPartition(topics.FEATURES.name, number) for number in range(topics.FEATURES.partitions)]
        return [max(0, place.offset) for place in consumer.committed(places, timeout=10)]
    finally:
        consumer.close()


def _consumer(bootstrap: str, group: str) -> Consumer:
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 2})
