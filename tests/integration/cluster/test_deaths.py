"""Servers that all of a cluster leans on die under load: the JobManager, and PostgreSQL with the lake's catalog.

The driver is kept up by the supervisor, as a platform's is. Minutes each, so ``make survive`` runs them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest
from sqlalchemy.exc import SQLAlchemyError

from jishi.lake.publishing import Replacement, publish
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.rows import Rows
from jishi.tables import SILVER_ITEMS
from ops import airflow
from ops.parts import all_parts
from ops.supervisor import start_part, start_supervisord, stop_supervisord, write_configuration
from tests.integration.cluster.conftest import Brokers, ClusterStream, running_brokers
from tests.integration.cluster.test_stream import intakes, logged, post, sent, wait_until_forwarded
from tests.integration.collector.conftest import CollectorFolder
from tests.integration.conftest import Server
from tests.integration.stream.conftest import wait_until
from tests.integration.stream.test_restart import latest_features, send
from tests.lake import table_of

__all__ = ["intakes", "sent"]  # fixtures
pytestmark = [pytest.mark.integration, pytest.mark.survive, pytest.mark.timeout(1500)]
GONE_S = 20.0
PATIENCE_S = 420


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Three brokers of this module alone: it counts all that is in their log."""
    with running_brokers(tmp_path_factory.mktemp("brokers")) as built:
        yield built


@pytest.fixture(scope="module")
def supervised(cluster_stream: ClusterStream) -> Iterator[ClusterStream]:
    """The stream, whose driver the supervisor starts, and starts again when it ends."""
    stream = cluster_stream
    airflow.write_secrets(stream.paths)
    [flink] = [part for part in all_parts(stream.settings, stream.paths) if part.name == "flink"]
    start_supervisord(stream.paths, write_configuration(stream.paths, [replace(flink, environment={})], stream.environment))
    try:
        start_part(stream.paths, "flink")
        yield stream
    finally:
        stop_supervisord(stream.paths)


def driver_log(stream: ClusterStream) -> str:
    return (stream.paths.log / "flink.log").read_text()


def rows(stream: ClusterStream) -> int:
    """Rows of bronze; none while the catalog's server is away or just starts."""
    with suppress(SQLAlchemyError):
        return stream.row_count()
    return 0


def wait_for_rows(stream: ClusterStream, count: int) -> None:
    wait_until(lambda: rows(stream) >= count, lambda: driver_log(stream)[-4000:] + stream.server_logs(), PATIENCE_S)


def check_rows(stream: ClusterStream, brokers: Brokers, count: int) -> None:
    """Each record of the log is in bronze once."""
    time.sleep(3)  # a repeated row would come with the next files
    identities = [(row["collector_id"], row["seq"]) for row in stream.archived()]
    assert len(identities) == len(set(identities)) == count
    assert set(identities) == logged(brokers.bootstrap)


@contextmanager
def load(work: Callable[[], None]) -> Iterator[None]:
    """Do the work again and again, from another thread, as long as the block lasts. Raises what ended it."""
    stop, errors = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            while not stop.wait(0.2):
                work()
        except BaseException as error:  # noqa: BLE001 (told below)
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


def test_a_jobmanager_that_dies_loses_its_job_and_the_driver_submits_it_again_from_the_newest_checkpoint(
    brokers: Brokers, supervised: ClusterStream
) -> None:
    stream = supervised
    send(stream, range(300))
    wait_for_rows(stream, 300)
    send(stream, range(300, 500), pause_s=0.005)  # files are open when the kill comes
    stream.kill_server("jobmanager")
    send(stream, range(500, 600))
    time.sleep(GONE_S)  # the driver ends, and cannot start meanwhile
    stream.start_server("jobmanager")
    send(stream, range(600, 700))
    wait_for_rows(stream, 700)
    check_rows(stream, brokers, 700)
    text = driver_log(stream)
    assert text.count("from the start of the log") == 1
    assert "no Flink answers at" in text
    assert "from checkpoint" in text
    values = latest_features(stream)
    for person in range(5):
        items = values[f"person_last_20|a|p{person}"]["values"]["last_items"]
        assert items == [f"项{seq}" for seq in range(699, -1, -1) if seq % 5 == person][:20]


def publish_item(stream: ClusterStream, number: int) -> None:
    """One more item of a shop of this test's own."""
    row = dict.fromkeys(SILVER_ITEMS.columns) | {"shop_id": f"shop-{number}", "item_id": f"item-{number}"}
    where = Rows.of(shop_id=[row["shop_id"]])
    publish(stream.settings, "a test", lambda base: [Replacement(SILVER_ITEMS, where, table_of(SILVER_ITEMS, [row]))])


def items(stream: ClusterStream) -> set[str]:
    with open_lake(open_version(stream.settings)) as lake:
        return {item_id for (item_id,) in lake.execute("select item_id from silver_items").fetchall()}


def test_postgresql_dies_under_load_and_nothing_acknowledged_or_published_is_lost(
    brokers: Brokers,
    supervised: ClusterStream,
    intakes: list[CollectorFolder],
    sent: Counter[int],
    postgres_server: Server,
) -> None:
    stream, before = supervised, len(logged(brokers.bootstrap))
    published = list[int]()

    def publish_next() -> None:
        """What a publish has returned from counts; one that the database did not take may be there or not."""
        number = len(published) + len(refused)
        try:
            publish_item(stream, number)
        except Exception as error:  # noqa: BLE001 (whatever the driver of PostgreSQL raises)
            refused[number] = error
        else:
            published.append(number)

    refused: dict[int, Exception] = {}
    with ExitStack() as loads:
        loads.enter_context(load(lambda: post(intakes, sent, 1)))
        loads.enter_context(load(publish_next))
        wait_until(lambda: len(published) >= 3, lambda: refused, 60)
        wait_for_rows(stream, before + 200)
        postgres_server.kill()
        time.sleep(GONE_S)
        postgres_server.start()
        so_far = len(published)
        wait_until(lambda: len(published) >= so_far + 3, lambda: refused, 120)
    assert refused, "the server was not missed"
    wait_until_forwarded(intakes, sent)
    wait_for_rows(stream, before + sum(sent.values()))
    check_rows(stream, brokers, before + sum(sent.values()))
    acknowledged = {(record["collector_id"], record["seq"]) for intake in intakes for record in intake.stored()}
    assert acknowledged <= logged(brokers.bootstrap)
    there = items(stream)
    assert {f"item-{number}" for number in published} <= there <= {f"item-{n}" for n in (*published, *refused)}
