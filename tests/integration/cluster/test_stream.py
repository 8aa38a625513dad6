"""On servers of a cluster nothing that was acknowledged is lost: a broker, a TaskManager and the job's driver are killed."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.admin import AdminClient
from pyarrow.fs import FileSelector

from flink_jobs.state_folder import StateFolder
from jishi import topics
from jishi.heartbeat import last_beat
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from ops.ports import free_port
from tests.integration.cluster.conftest import BROKERS, Brokers, ClusterStream, messages_of
from tests.integration.collector.conftest import CollectorFolder
from tests.integration.stream.conftest import wait_until
from tests.integration.stream.test_restart import latest_features, send

pytestmark = pytest.mark.integration
COLLECTORS = 2
VIEWS = 1000  # of test_restart.view_of, beside what the collectors got


@pytest.fixture(scope="module")
def intakes(brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[CollectorFolder]]:
    """Two collectors that serve one shop, each with a write-ahead log of its own and a forwarder beside it."""
    built, shops = [], Shops()
    shops.add(Shop(shop_id="a", name="a"))
    key = shops.issue_key("a", "write")
    for number in range(COLLECTORS):
        var = tmp_path_factory.mktemp(f"collector-{number}")
        settings = Settings(var=var, collector_port=free_port(), kafka_bootstrap=brokers.bootstrap, _env_file=None)  # type: ignore[call-arg]
        paths = Paths.of(settings)
        shops.save(paths.shops_file)
        built.append(CollectorFolder(paths, settings, key))
    for intake in built:
        intake.serve()
        intake.start("forward")
    yield built
    for intake in built:
        intake.stop()


@pytest.fixture(scope="module")
def sent() -> Counter[int]:
    """How many events each collector has acknowledged."""
    return Counter()


def post(intakes: list[CollectorFolder], sent: Counter[int], batches: int) -> None:
    """By turns to one collector and the other, as a proxy before them would."""
    for _ in range(batches):
        for number, intake in enumerate(intakes):
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            ids = [f"{number}-{sent[number] + each}" for each in range(50)]
            events = [
                {"event_id": each, "shop_id": "a", "type": "item_viewed", "occurred_at": at, "user_id": f"u-{each[-1]}"}
                | {"properties": {"item_id": f"i-{each}"}}
                for each in ids
            ]
            with intake.client() as client:
                assert client.post("/v1/events", json=events).status_code == 200
            sent[number] += len(ids)


def forwarded(intake: CollectorFolder) -> int:
    beat = last_beat(intake.paths, "forwarder")
    return 0 if beat is None else int(beat.facts["forwarded"])


def log_of(intake: CollectorFolder) -> Callable[[], str]:
    return lambda: (intake.paths.var / "forward.log").read_text()[-3000:]


def wait_until_forwarded(intakes: list[CollectorFolder], sent: Counter[int]) -> None:
    for number, intake in enumerate(intakes):
        wait_until(lambda number=number, intake=intake: forwarded(intake) >= sent[number], log_of(intake), 120)  # type: ignore[misc]


def logged(bootstrap: str) -> set[tuple[str, int]]:
    """Collector and number of every record in the log."""
    return {(record["collector_id"], record["seq"]) for record in records_of(bootstrap)}


def records_of(bootstrap: str) -> list[dict[str, Any]]:
    """Every record in the log."""
    return [orjson.loads(value or b"") for _, value in messages_of(bootstrap, topics.EVENTS) if value != topics.TICK]


def in_sync(brokers: Brokers) -> set[int]:
    """Numbers of in-sync replicas that the partitions of the event log have."""
    partitions = AdminClient({"bootstrap.servers": brokers.bootstrap}).list_topics(topics.EVENTS.name, timeout=30)
    return {len(partition.isrs) for partition in partitions.topics[topics.EVENTS.name].partitions.values()}


def test_a_broker_dies_with_its_disk_and_nothing_acknowledged_is_lost(
    brokers: Brokers, intakes: list[CollectorFolder], sent: Counter[int]
) -> None:
    post(intakes, sent, 4)
    wait_until_forwarded(intakes, sent)
    assert in_sync(brokers) == {BROKERS}
    brokers.kill(0, with_disk=True)
    post(intakes, sent, 4)
    wait_until_forwarded(intakes, sent)  # two of three have each record: that is enough

    brokers.kill(1)
    before = [forwarded(intake) for intake in intakes]
    post(intakes, sent, 2)  # the collectors acknowledge what is on their own disks
    wait_until(lambda: all(lag(intake) for intake in intakes), log_of(intakes[0]), 60)
    assert [forwarded(intake) for intake in intakes] == before  # one of three is not

    brokers.start(0, 1)
    wait_until_forwarded(intakes, sent)
    wait_until(lambda: in_sync(brokers) == {BROKERS}, lambda: in_sync(brokers), 120)
    acknowledged = {(record["collector_id"], record["seq"]) for intake in intakes for record in intake.stored()}
    assert len(acknowledged) == sum(sent.values()) == COLLECTORS * 500
    assert logged(brokers.bootstrap) == acknowledged


def lag(intake: CollectorFolder) -> int:
    beat = last_beat(intake.paths, "forwarder")
    return 0 if beat is None else int(beat.facts["lag"])


def test_the_job_on_a_session_cluster_outlives_its_taskmanager_and_its_driver(
    brokers: Brokers, intakes: list[CollectorFolder], sent: Counter[int], cluster_stream: ClusterStream
) -> None:
    stream = cluster_stream
    of_collectors = sum(sent.values())

    def wait_for_rows(count: int) -> None:
        wait_until(lambda: stream.row_count() >= count, lambda: stream.log_text() + stream.server_logs(), 180)

    send(stream, range(300))
    stream.start()
    wait_for_rows(of_collectors + 300)
    send(stream, range(300, 500), pause_s=0.005)  # longer than a checkpoint: files are open when the kill comes
    stream.kill_server("taskmanager")
    send(stream, range(500, 600))
    stream.start_server("taskmanager")
    wait_for_rows(of_collectors + 600)
    brokers.kill(2)
    stream.kill()  # the driver: its job goes on without it
    send(stream, range(600, 800))
    wait_for_rows(of_collectors + 800)
    stream.start()
    send(stream, range(800, VIEWS))
    wait_for_rows(of_collectors + VIEWS)
    time.sleep(3)  # a repeated row would come with the next files

    rows = stream.archived()
    identities = [(row["collector_id"], row["seq"]) for row in rows]
    assert len(identities) == len(set(identities)) == of_collectors + VIEWS
    assert set(identities) == logged(brokers.bootstrap)
    assert {row["outcome"] for row in rows} == {"good"}
    text = stream.log_text()
    assert "from the start of the log" in text
    assert text.count("of an earlier run was still there and is cancelled") == 1
    assert text.count("from checkpoint") == 1
    values = latest_features(stream)
    for person in range(5):
        items = values[f"person_last_20|a|p{person}"]["values"]["last_items"]
        assert items == [f"项{seq}" for seq in range(VIEWS - 1, -1, -1) if seq % 5 == person][:20]


def test_its_state_lies_in_the_object_store_and_checkpoints_hold_what_changed(cluster_stream: ClusterStream) -> None:
    stream = cluster_stream
    [job] = [each["jid"] for each in stream.ask("/jobs/overview")["jobs"] if each["state"] == "RUNNING"]
    config = stream.ask(f"/jobs/{job}/checkpoints/config")
    assert config["state_backend"] == "EmbeddedRocksDBStateBackend"
    assert config["checkpoint_storage"] == "FileSystemCheckpointStorage"
    states = StateFolder.of(stream.settings, stream.paths)
    files = states.files.get_file_info(FileSelector(f"{states.path}/checkpoints", recursive=True))
    runs = {each.path.split("/")[4] for each in files if each.base_name == "_metadata"}
    assert job in runs
    newest = stream.ask(f"/jobs/{job}/checkpoints")["latest"]["completed"]
    assert newest["external_path"].startswith("s3://jishi/flink/checkpoints/")
    assert newest["checkpointed_size"] < newest["state_size"]
    assert not (stream.paths.flink / "checkpoints").exists()
    assert not Path(stream.paths.lake / "warehouse").exists()


def test_a_driver_without_a_cluster_says_so(cluster_stream: ClusterStream, tmp_path: Path) -> None:
    """Last, since it ends the stream."""
    assert cluster_stream.stop() == 0
    wait_until(lambda: not _going_on(cluster_stream), cluster_stream.server_logs, 60)
    cluster_stream.kill_server("jobmanager")
    with pytest.raises(AssertionError, match=r"no Flink answers at .*start its JobManager or set JISHI_FLINK_URL"):
        cluster_stream.start()


def _going_on(stream: ClusterStream) -> list[str]:
    jobs: list[dict[str, Any]] = stream.ask("/jobs/overview")["jobs"]
    return [json.dumps(job) for job in jobs if job["state"] not in ("CANCELED", "FAILED", "FINISHED")]
