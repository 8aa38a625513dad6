"""Writes to every online store are monotonic: the newest value wins, in any order, from any process, after any retry."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from feast import FeatureStore
from pg8000.exceptions import InterfaceError

from feature_repo.store import FeatureStoreNotApplied, apply, online_store_of, open_store
from feature_repo.writer import FeatureSink, WriterProgress
from jishi.features import views
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings

pytestmark = pytest.mark.integration
VIEW = "person_last_20"
START = datetime(2026, 11, 1, 12, tzinfo=UTC)

_RACER = """
import json, random, sys
from datetime import UTC, datetime, timedelta
import pandas as pd
from feature_repo.store import open_store
from jishi.paths import Paths
from jishi.settings import Settings

start = datetime(2026, 11, 1, 12, tzinfo=UTC)
chance = random.Random(int(sys.argv[1]))
for line in sys.stdin:
    settings = Settings(**json.loads(line), _env_file=None)
    store = open_store(settings, Paths.of(settings))
    print("ready", flush=True)
    sys.stdin.readline()
    steps = [*range(60), *chance.sample(range(60), 20)]
    chance.shuffle(steps)
    for step in steps:
        at = start + timedelta(milliseconds=step)
        rows = [
            {"shop_id": "a", "person_id": f"p{p}", "event_timestamp": at, "created_timestamp": at,
             "last_items": [str(step), f"racer-{sys.argv[1]}"], "last_items_known_ms": [2, 1],
             "valid_until_ms": None, "log_offset": 0}
            for p in chance.sample(range(5), 5)
        ]
        store.push("person_last_20", pd.DataFrame(rows))
    print("done", flush=True)
"""


class Racer:
    """A process that writes all values to the store that it is told, in its own order and some of them twice."""

    def __init__(self, seed: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _RACER, str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def write_line(self, line: str) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        print(line, file=self.process.stdin, flush=True)

    def answer(self) -> str:
        """The next line, empty when the process ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture(scope="module")
def racers() -> Iterator[list[Racer]]:
    """Processes that import Feast once, and then race on each store."""
    started = [Racer(seed) for seed in range(3)]
    yield started
    for racer in started:
        racer.process.communicate()


def push(store: FeatureStore, person: str, at: datetime, items: list[str], log_offset: int = 0) -> None:
    row: dict[str, Any] = {"shop_id": "a", "person_id": person, "event_timestamp": at, "created_timestamp": at}
    row |= {"last_items": items, "last_items_known_ms": [0] * len(items), "valid_until_ms": None, "log_offset": log_offset}
    store.push(VIEW, pd.DataFrame([row]))


def read(store: FeatureStore, person: str, shop: str = "a") -> list[str] | None:
    values = store.get_online_features([f"{VIEW}:last_items"], [{"shop_id": shop, "person_id": person}]).to_dict()
    items = values["last_items"][0]
    return None if items is None else list(items)


def test_an_older_or_equal_value_never_replaces_a_newer_one(settings: Settings, paths: Paths) -> None:
    store = open_store(settings, paths)
    push(store, "p", START + timedelta(milliseconds=1), ["new"])
    push(store, "p", START, ["old"])
    push(store, "p", START + timedelta(milliseconds=1), ["equal"])
    assert read(store, "p") == ["new"]
    counts = online_store_of(store).counts
    assert (counts.written, counts.refused) == (1, 2)


def test_values_of_one_instant_follow_the_order_of_the_log(settings: Settings, paths: Paths) -> None:
    store = open_store(settings, paths)
    for offset, items in [(4, ["one"]), (6, ["three", "two", "one"]), (5, ["two", "one"]), (6, ["again"])]:
        push(store, "p", START, items, offset)
    assert read(store, "p") == ["three", "two", "one"]


def test_shops_do_not_share_a_key(settings: Settings, paths: Paths) -> None:
    store = open_store(settings, paths)
    push(store, "p", START, ["mine"])
    assert read(store, "p", shop="b") is None


def test_processes_that_write_in_random_order_end_in_the_newest(
    online_store: Any, settings: Settings, paths: Paths, racers: list[Racer]
) -> None:
    """Who reads meanwhile sees no step back, and no value change its writer."""
    store = open_store(settings, paths)
    for racer in racers:
        racer.write_line(json.dumps({"var": str(settings.var), **online_store.settings}))
    assert [racer.answer() for racer in racers] == ["ready"] * 3
    for racer in racers:
        racer.write_line("go")
    seen: list[list[str]] = []
    with ThreadPoolExecutor(len(racers)) as threads:
        ends = [threads.submit(racer.answer) for racer in racers]
        while not all(end.done() for end in ends):
            seen.append(read(store, "p0") or ["-1", ""])
    assert [end.result() for end in ends] == ["done"] * 3
    assert [(read(store, f"p{p}") or [""])[0] for p in range(5)] == ["59"] * 5
    seen.append(read(store, "p0") or [])
    for (step, racer_of_step), (next_step, next_racer) in pairwise(seen):
        assert int(step) < int(next_step) or (step, racer_of_step) == (next_step, next_racer)


def test_random_histories_end_in_their_maximum(settings: Settings, paths: Paths) -> None:
    store = open_store(settings, paths)
    for seed in range(20):
        rng = random.Random(seed)
        history = [(rng.randrange(5), rng.randrange(3)) for _ in range(8)]
        for step, offset in history:
            push(store, f"p{seed}", START + timedelta(microseconds=step), [f"{step}/{offset}"], offset)
        newest = max(history)
        assert read(store, f"p{seed}") == [f"{newest[0]}/{newest[1]}"]


@pytest.mark.parametrize("online_store", ["postgresql"], indirect=True)
def test_a_lost_connection_costs_one_call(settings: Settings, paths: Paths) -> None:
    store, other = open_store(settings, paths), open_store(settings, paths)
    push(store, "p", START, ["kept"])
    postgres: Any = other._get_provider().online_store
    with postgres._connection(other.config) as connection:
        connection.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jishi' "
            "AND pid <> pg_backend_pid()"
        )
    with pytest.raises(InterfaceError):
        read(store, "p")
    assert read(store, "p") == ["kept"]


@pytest.mark.parametrize("online_store", ["postgresql"], indirect=True)
def test_a_read_does_not_wait_for_another(settings: Settings, paths: Paths) -> None:
    store = open_store(settings, paths)
    push(store, "p", START, ["kept"])
    postgres: Any = online_store_of(store)
    with ThreadPoolExecutor(1) as thread, postgres._connection(store.config):
        assert thread.submit(read, store, "p").result(timeout=30) == ["kept"]


def test_threads_that_read_at_once_get_each_its_own_rows(settings: Settings, paths: Paths) -> None:
    store = open_store(settings, paths)
    people = [f"p{number}" for number in range(40)]
    for person in people:
        push(store, person, START, [person])
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda person: read(store, person), people * 3)) == [[person] for person in people * 3]


def test_apply_again_keeps_values_and_any_process_opens_the_store_by_its_file(settings: Settings, paths: Paths) -> None:
    push(open_store(settings, paths), "p", START, ["kept"])
    apply(settings, paths, open_version(settings))
    file = paths.features / "feature_store.yaml"
    assert read(FeatureStore(fs_yaml_file=file), "p") == ["kept"]
    assert file.stat().st_mode & 0o077 == 0, "it may hold a password"


def test_a_store_that_was_never_applied_says_what_to_run(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, _env_file=None)  # type: ignore[call-arg]
    with pytest.raises(FeatureStoreNotApplied, match="python -m feature_repo apply"):
        open_store(settings, Paths.of(settings))


def test_a_view_that_was_dropped_starts_anew_and_keys_are_counted(settings: Settings, paths: Paths) -> None:
    store = open_store(settings, paths)
    push(store, "p", START + timedelta(seconds=1), ["of the old view"])
    push(store, "q", START, ["of the old view"])
    online, view = online_store_of(store), store.get_feature_view(VIEW)
    assert online.count_keys(store.config, view) == 2
    provider = store._get_provider().online_store
    provider.update(store.config, [view], [], [], [], partial=True)
    provider.update(store.config, [], [view], [], [], partial=True)
    assert online.count_keys(store.config, view) == 0
    push(store, "p", START, ["of the new one"])
    assert read(store, "p") == ["of the new one"]


def test_integers_keep_every_digit_and_their_gaps(settings: Settings, paths: Paths) -> None:
    # Feast reads a column with a gap as doubles; 2^53 − 1, the most that the contract allows for money, still fits.
    view = views()["person_86400s_3600s"]
    progress = WriterProgress()
    sink = FeatureSink(open_store(settings, paths), paths.features, progress)
    # Empty lists come back as lists.
    defaults = {feature.name: feature.default for feature in view}
    values: dict[str, Any] = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    by_key = {"p": values | {"person_price_max_24h": 2**53 - 1}, "q": values}
    payloads = [
        {"view": view[0].view, "shop_id": "a", "entity_id": person, "as_of_ms": 1, "valid_until_ms": 2, "values": of_person}
        for person, of_person in by_key.items()
    ]
    sink.write((0, place, json.dumps(payload).encode()) for place, payload in enumerate(payloads))
    assert (progress.dead, progress.written) == (0, 2)
    rows = [{"shop_id": "a", "person_id": person} for person in by_key]
    result = open_store(settings, paths).get_online_features([f"{view[0].view}:{f.name}" for f in view], rows).to_dict()
    for place, of_person in enumerate(by_key.values()):
        assert {name: result[name][place] for name in of_person} == of_person


def test_the_first_instant_stays_when_a_stream_begins_anew_behind_a_shortened_log(settings: Settings, paths: Paths) -> None:
    store = open_store(settings, paths)
    sink = FeatureSink(store, paths.features, WriterProgress())
    view = "person_first_seen_at_ms"

    def seen(as_of_ms: int, first_seen_at_ms: int, offset: int, person: str = "u:p") -> tuple[int, int, bytes]:
        head = {"view": view, "shop_id": "a", "entity_id": person, "as_of_ms": as_of_ms, "valid_until_ms": None}
        return 0, offset, json.dumps(head | {"values": {"first_seen_at_ms": first_seen_at_ms}}).encode()

    def stored(person: str) -> Any:
        rows = [{"shop_id": "a", "person_id": person}]
        return store.get_online_features([f"{view}:first_seen_at_ms"], rows).to_dict()["first_seen_at_ms"]

    sink.write([seen(1_000, 900, 1), seen(2_000, 800, 2)])
    assert stored("u:p") == [800]
    sink.write([seen(9_000, 8_000, 3), seen(9_000, 8_500, 4, person="u:new")])  # the log now begins at 8,000
    assert stored("u:p") == [800]
    assert stored("u:new") == [8_500]
    sink.write([seen(9_500, 700, 5)])
    assert stored("u:p") == [700], "an earlier act still moves it"
