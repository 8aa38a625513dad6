"""Play messages of the feature topic into an online store of its own and read it at given instants, as serving would.

Before each instant the newest messages of every key that are known by then go through the writer, shuffled, with an older one
among them: the store must end in the newest whatever the order. What a reader gets is the value if it still holds, else the
default; the few seconds of grace that serving allows are left out, so that the answer is exact.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from feast import FeatureStore

from feature_repo.store import apply, open_store
from feature_repo.writer import FeatureSink, WriterProgress
from jishi.features import ENTITY_KEYS, FEATURES, Feature, operands, views
from jishi.features.columns import VALID_UNTIL
from jishi.features.decision import value_at
from jishi.features.entity import key_values
from jishi.features.message import Views
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings

NEWEST = 3
_BATCH = 500


@dataclass(frozen=True)
class SentMessage:
    """A message with its place among all; ``key`` is view, shop and entity id."""

    key: tuple[str, str, str]
    as_of_ms: int
    place: int
    payload: bytes


class MessagesRefused(RuntimeError):
    """The writer sent messages to the dead-letter file."""


def read_messages(folder: Path) -> list[SentMessage]:
    """Messages of committed files of a sink of ``message_key`` and ``message``, in the order in which they were made."""
    files = sorted(folder.glob("part-*"), key=lambda file: int(file.name.rsplit("-", 1)[1]))
    lines = (line for file in files for line in file.read_bytes().splitlines())
    messages = []
    for place, line in enumerate(lines):
        payload = orjson.loads(line)["message"].encode()
        message = orjson.loads(payload)
        messages.append(
            SentMessage((message["view"], message["shop_id"], message["entity_id"]), message["as_of_ms"], place, payload)
        )
    return messages


def replay(
    settings: Settings, paths: Paths, messages: Sequence[SentMessage], instants_ms: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """What a reader gets at each instant, as far as it is not the default: ``feature, shop_id, entity_id, at_ms, value``.

    Raises MessagesRefused when the writer cannot read a message.
    """
    apply(settings, paths, open_version(settings))
    store, progress, definitions = open_store(settings, paths), WriterProgress(), views()
    sink = FeatureSink(store, paths.features, progress, definitions)
    chance = random.Random(7)
    by_key: dict[tuple[str, str, str], list[SentMessage]] = {}
    for message in messages:
        by_key.setdefault(message.key, []).append(message)
    for at_ms in sorted(instants_ms):
        batch = [sent for of_key in by_key.values() for sent in _due(of_key, at_ms, chance)]
        chance.shuffle(batch)
        for start in range(0, len(batch), _BATCH):
            sink.write((0, sent.place, sent.payload) for sent in batch[start : start + _BATCH])
        if progress.dead:
            raise MessagesRefused(f"{progress.dead} messages were refused; see {paths.features / 'dead_letter.jsonl'}")
        yield from _read(store, definitions, list(by_key), at_ms)


def _due(of_key: Sequence[SentMessage], at_ms: int, chance: random.Random) -> list[SentMessage]:
    known = sorted((sent for sent in of_key if sent.as_of_ms <= at_ms), key=lambda sent: (sent.as_of_ms, sent.place))
    return known[-NEWEST:] + ([chance.choice(known)] if known else [])


def _read(
    store: FeatureStore, definitions: Views, keys: Sequence[tuple[str, str, str]], at_ms: int
) -> Iterator[dict[str, Any]]:
    """Stored features as they are read, derived ones as a decision would make them of these. A smoothed ratio is the shop's own
    where the entity has nothing; that says nothing of the entity and is left out, as the oracle leaves it out.
    """
    held: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for entity, shop_id, identity, stored in read_stored(store, definitions, keys, at_ms):
        held.setdefault((shop_id, entity), {}).setdefault(identity, {}).update(stored)
    for feature in FEATURES:
        names = {part.name for part in operands(feature)}
        if not any(names & {member.name for member in members} for members in definitions.values()):
            continue
        for (shop_id, entity), by_identity in held.items():
            of_shop = held.get((shop_id, "shop"), {}).get(shop_id, {})
            for identity, stored in by_identity.items() if entity == feature.entity else ():
                if feature.aggregation == "ratio" and not any(stored.get(name) for name in names):
                    continue
                value = value_at(feature, [stored], at_ms, shop=of_shop)
                if not _is_default(feature, value):
                    yield {
                        **{"feature": feature.name, "shop_id": shop_id, "entity_id": identity},
                        **{"at_ms": at_ms, "value": value},
                    }


def read_stored(
    store: FeatureStore, definitions: Views, keys: Sequence[tuple[str, str, str]], at_ms: int
) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Entity, shop, entity id, and the values of one view that hold at the instant."""
    for view, members in definitions.items():
        of_view = sorted(key for key in keys if key[0] == view)
        entity = members[0].entity
        for start in range(0, len(of_view), _BATCH):
            chunk = of_view[start : start + _BATCH]
            rows = [{"shop_id": shop_id, **key_values(entity, identity)} for _, shop_id, identity in chunk]
            names = [feature.name for feature in members]
            assert set(rows[0]) == {"shop_id", *ENTITY_KEYS[entity]}
            values = store.get_online_features([f"{view}:{name}" for name in (*names, VALID_UNTIL)], rows).to_dict()
            for place, (_, shop_id, identity) in enumerate(chunk):
                until_ms = values[VALID_UNTIL][place]
                if until_ms is None or at_ms < until_ms:
                    stored = {name: values[name][place] for name in names}
                    yield entity, shop_id, identity, {name: value for name, value in stored.items() if value is not None}


def _is_default(feature: Feature, value: Any) -> bool:
    if isinstance(feature.default, tuple):
        return value is None or not len(value)
    return value is None or value == feature.default


def write_reads(reads: Iterator[dict[str, Any]], target: Path) -> int:
    """Write reads as JSON lines; returns how many."""
    count = 0
    with target.open("w", encoding="utf-8") as out:
        for read in reads:
            out.write(json.dumps(read, ensure_ascii=False) + "\n")
            count += 1
    return count
