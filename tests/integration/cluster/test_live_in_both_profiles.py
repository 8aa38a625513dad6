"""The same live day through both profiles gives the same rows: sent to a collector, through its log, the event log and Flink's
job to bronze, features, counters and the online store, then worked up to silver and marts.

Embedded: one broker, Flink's mini-cluster, SQLite, a lake in a folder, Spark in one process. Cluster: three brokers that each
hold every partition, a session cluster with its state in an object store, a lake there with its catalog in PostgreSQL, Redis,
Spark's master and worker. Only settings differ. One thing is not as in a shop: the log knows a record at the collector's time,
and that clock goes from request to request; else no two runs would know the same at the same instant. What
may differ all the same:

- where a record lies in its partition (``log_offset``), since ticks lie between. Likewise in the topic of features: there the
  offset orders values of one instant in the online store, and no reader sees it;
- messages of a person with several devices. Their events lie in several partitions, which the job reads in no fixed order, so
  the entries of a list may be in another. The online store sorts them by the times beside them: there the lists are the same;
- of joins to one group buy that became known at the same instant, by several persons, which was the last one;
- which items are the last of the 20 that the shop's counters list, where more are level.

Both jobs have parallelism 1, as they have by themselves. At 2 the order of one device's events is not the log's
(docs/streaming.md), so that running values may differ, too.

Minutes, so ``make survive`` runs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from jishi import topics
from jishi.features import live_views
from tests.integration.cluster.conftest import HOST, Brokers, ClusterStream, running_brokers
from tests.integration.cluster.live_day import ROAMER, SHOP, LiveDay, trading
from tests.integration.conftest import Server
from tests.integration.shops.conftest import ShopPlatform
from tests.integration.shops.spark_servers import spark_cluster
from tests.integration.stream.conftest import Stream, stream

__all__ = ["stream"]  # a fixture
pytestmark = [pytest.mark.integration, pytest.mark.survive, pytest.mark.timeout(3000)]
LIVE_VIEWS = live_views()


@pytest.fixture(scope="module")
def embedded(stream: Stream) -> LiveDay:
    with trading(stream, stream.settings) as platform:
        platform.trade()
    return platform.result(ShopPlatform(stream.settings, variables=stream.environment))


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Three brokers of this module alone, whose logs keep the times that they are given."""
    with running_brokers(tmp_path_factory.mktemp("brokers")) as started:
        yield started


@pytest.fixture(scope="module")
def more_settings(redis_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with spark_cluster(tmp_path_factory.mktemp("spark-servers")) as spark:
        yield {"redis_url": f"{HOST}:{redis_server.port}", "spark_master": spark.url}


@pytest.fixture(scope="module")
def cluster(embedded: LiveDay, cluster_stream: ClusterStream) -> LiveDay:
    """After the other, so that each has the machine."""
    stream = cluster_stream
    with trading(stream, stream.settings) as platform:
        platform.trade()
    return platform.result(ShopPlatform(stream.settings, variables=stream.environment | {"SPARK_LOCAL_IP": HOST}))


def test_bronze_has_the_same_rows(embedded: LiveDay, cluster: LiveDay) -> None:
    """Each with its outcome, its partition and the time at which it was known."""
    for day in (embedded, cluster):
        for row in day.bronze:
            assert row["received_at_ms"] == row["collected_at_ms"]
            del row["log_offset"]
    assert cluster.bronze == embedded.bronze
    outcomes = Counter(row["outcome"] for row in embedded.bronze)
    assert outcomes.keys() == {"good", "late", "duplicate", "future", "invalid"}, outcomes
    types = Counter(row["type"] for row in embedded.bronze)
    assert min(types["order_paid"], types["order_refunded"], types["item_added_to_cart"]) > 0
    assert len({row["log_partition"] for row in embedded.bronze}) == topics.EVENTS.partitions


def test_every_published_table_has_the_same_rows(embedded: LiveDay, cluster: LiveDay) -> None:
    positions = embedded.tables.pop("bronze"), cluster.tables.pop("bronze")
    assert positions[0][0] == positions[1][0]
    assert embedded.tables.keys() == cluster.tables.keys()
    assert [name for name, content in embedded.tables.items() if cluster.tables[name] != content] == []
    rows = {name: count for name, (count, _) in embedded.tables.items()}
    assert min(rows[f"silver/{name}"] for name in ("orders", "refunds", "identity", "sessions", "duplicates", "quarantine")) > 0
    assert sum(count > 0 for name, count in rows.items() if name.startswith("marts/")) > 10
    assert cluster.counts == embedded.counts


def is_ordered(key: str, bronze: list[dict[str, Any]]) -> bool:
    """Whether the messages of a view and entity have one order: windows have, and who has all events in one partition."""
    view, _, entity = key.split("|", 2)
    if not LIVE_VIEWS[view][0].is_running:
        return True
    return len({row["log_partition"] for row in bronze if row["person_id"] == entity}) == 1


def test_the_stream_sends_the_same_features(embedded: LiveDay, cluster: LiveDay) -> None:
    """Every message of every window, and of a person's lists in the same order."""
    assert embedded.features.keys() == cluster.features.keys()
    differing = {key for key, messages in embedded.features.items() if cluster.features[key] != messages}
    assert [key for key in differing if is_ordered(key, embedded.bronze)] == []
    assert not is_ordered(f"person_last_20|{SHOP.shop_id}|u:{ROAMER}", embedded.bronze)
    assert sum(is_ordered(key, embedded.bronze) for key in embedded.features if key.startswith("person_last_20")) > 10
    assert sum(map(len, embedded.features.values())) > 10_000


def is_open(view: str) -> bool:
    """Whether the last of several persons' acts is the value, which acts of one instant leave open."""
    return LIVE_VIEWS[view][0].is_running and LIVE_VIEWS[view][0].entity != "person"


def test_the_online_store_has_the_same_values(embedded: LiveDay, cluster: LiveDay) -> None:
    """Those of somebody with two devices too, whose acts came in no fixed order."""
    assert embedded.online.keys() == cluster.online.keys()
    differing = {key for key, row in embedded.online.items() if cluster.online[key] != row}
    assert [key for key in differing if not is_open(key[0])] == []
    assert [key for key in differing if cluster.online[key][0] != embedded.online[key][0]] == []
    assert {view for view, _ in embedded.online} > {"person_last_20", "item_3600s_60s", "person_86400s_3600s"}


def without_ties(counters: dict[bytes, dict[str, Any]]) -> dict[Any, Any]:
    """The counters; of items that stand level with the last one listed how many there are, for which of them is open."""
    items = {key: counters[key] for key in counters if orjson.loads(key)["kind"] == "item"}
    counts = {key: (row["order_lines"], row["cart_adds"], row["item_views"]) for key, row in items.items()}
    last = min(counts.values())
    return {key: row for key, row in counters.items() if counts.get(key) != last} | {last: list(counts.values()).count(last)}


def test_the_shops_counters_are_the_same(embedded: LiveDay, cluster: LiveDay) -> None:
    assert without_ties(cluster.counters) == without_ties(embedded.counters)
    assert {orjson.loads(key)["kind"] for key in embedded.counters} == {"minute", "persons", "channel", "item", "clock"}
