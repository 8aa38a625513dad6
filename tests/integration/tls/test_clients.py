"""Every client reaches a server that takes nothing but TLS, and none without what the settings say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from decision_log.topic import TopicReader, TopicUnreachable
from feature_repo.store import apply, open_store
from jishi.kafka import FLINK_SHADES, KafkaCluster, KafkaSettingWrong
from jishi.lake.catalog import open_catalog
from jishi.lake.reading import open_version
from jishi.lake.versions import Versions, VersionsUnreachable
from jishi.paths import Paths
from jishi.postgresql import jdbc_uri
from jishi.settings import Settings, get_settings
from ops.kafka import create_topics
from tests.integration.conftest import Server
from tests.integration.lake import killed_publishes as script
from tests.integration.tls.conftest import HOST, PASSWORD, Authority, GuardedBroker, java

pytestmark = pytest.mark.integration
_KAFKA = """
import java.util.Properties;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.admin.AdminClient;
class Probe {
  public static void main(String[] given) throws Exception {
    Properties options = new Properties();
    for (int n = 0; n < given.length; n += 2) options.put(given[n], given[n + 1]);
    try (AdminClient client = AdminClient.create(options)) { System.out.println(client.listTopics().names().get()); }
  }
}
"""
_POSTGRESQL = """
import java.sql.*;
class Probe {
  public static void main(String[] given) throws Exception {
    String asked = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    try (Connection connection = DriverManager.getConnection(given[0], "jishi", "");
         ResultSet row = connection.createStatement().executeQuery(asked)) {
      row.next();
      System.out.println(row.getString(1));
    }
  }
}
"""


def settings_with(folder: Path, **values: Any) -> Settings:
    return Settings(var=folder / "var", envs=get_settings().envs, _env_file=None, **values)


@pytest.fixture
def guarded(kafka_over_tls: GuardedBroker, authority: Authority, tmp_path: Path) -> Settings:
    return settings_with(
        tmp_path,
        kafka_bootstrap=f"{HOST}:{kafka_over_tls.guarded_port}",
        kafka_security="SASL_SSL",
        kafka_ca_file=str(authority.ca),
        kafka_certificate_file=str(authority.both),
        kafka_user="jishi",
        kafka_password=PASSWORD,
    )


def test_python_reaches_kafka(guarded: Settings) -> None:
    kafka = KafkaCluster.of(guarded)
    assert create_topics(kafka) == []  # the embedded broker's start has made them
    assert list(TopicReader(kafka).records_after({})) == []
    for change in ({"kafka_password": "another"}, {"kafka_ca_file": ""}, {"kafka_certificate_file": ""}):
        with pytest.raises(TopicUnreachable):
            list(TopicReader(KafkaCluster.of(guarded.model_copy(update=change)), wait_s=2).records_after({}))
    with pytest.raises(KafkaSettingWrong, match="set JISHI_KAFKA_USER and JISHI_KAFKA_PASSWORD"):
        KafkaCluster.of(guarded.model_copy(update={"kafka_password": ""}))
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": guarded.kafka_bootstrap, "log_level": 0}).list_topics(timeout=2)


def test_flinks_connector_reaches_kafka(guarded: Settings, tmp_path: Path) -> None:
    jars = Paths.of(guarded).jars
    needed = [*jars.glob("flink/flink-sql-connector-kafka-*.jar"), *jars.glob("kafka/slf4j-api-*.jar")]
    options = KafkaCluster.of(guarded).java_options(FLINK_SHADES) | {"request.timeout.ms": "20000"}
    shown = java(_KAFKA, needed, tmp_path, *(word for option in options.items() for word in option))
    assert "jishi.events" in shown


@pytest.fixture
def records(postgres_over_tls: Server, authority: Authority, tmp_path: Path) -> Settings:
    url = f"postgresql://jishi@{HOST}:{postgres_over_tls.port}/postgres"
    tls = {"postgres_sslmode": "verify-full", "postgres_ca_file": str(authority.ca)}
    return settings_with(tmp_path, lake_catalog_uri=url, postgres_url=url, online_store="postgresql", **tls)


def test_the_lakes_catalog_and_records_are_in_postgresql(records: Settings, tmp_path: Path) -> None:
    script.publish_shop(records, "a", "mark")
    assert ["silver/items", "a", "mark"] in script.seen(records)
    assert open_version(records).number == 1
    stranger = records.model_copy(update={"postgres_ca_file": ""})  # the system's list does not know the test's authority
    with pytest.raises(VersionsUnreachable, match="certificate verify failed"):
        Versions.of(stranger).latest()
    with pytest.raises(Exception, match="certificate verify failed"):
        open_catalog(stranger)


def test_javas_driver_reaches_postgresql(records: Settings, tmp_path: Path) -> None:
    address = jdbc_uri(urlsplit(records.lake_catalog_uri), records)
    jars = list(Paths.of(records).jars.glob("catalog/postgresql-*.jar"))
    assert java(_POSTGRESQL, jars, tmp_path, address).strip() == "t"


def online(settings: Settings) -> None:
    """Make the store of features, write a value and read it again."""
    paths = Paths.of(settings)
    script.publish_shop(settings.model_copy(update={"lake_catalog_uri": ""}), "a", "mark")
    apply(settings, paths, open_version(settings.model_copy(update={"lake_catalog_uri": ""})))
    store = open_store(settings, paths)
    view = store.list_feature_views()[0]
    key = EntityKey(join_keys=list(view.join_keys), entity_values=[Value(string_val="x") for _ in view.join_keys])
    values = {view.features[0].name: Value(int64_val=7)}
    provider = store._get_provider().online_store
    now = datetime.now(UTC)
    provider.online_write_batch(store.config, view, [(key, values, now, now)], None)
    [(at, _)] = provider.online_read(store.config, view, [key])
    assert at is not None


def test_features_are_in_postgresql(records: Settings) -> None:
    online(records)


def test_features_are_in_redis(redis_over_tls: Server, authority: Authority, tmp_path: Path) -> None:
    settings = settings_with(
        tmp_path,
        online_store="redis",
        redis_url=f"{HOST}:{redis_over_tls.port}",
        redis_security="tls",
        redis_ca_file=str(authority.ca),
        redis_password="12345",
    )
    online(settings)
    for number, change in enumerate(({"redis_ca_file": ""}, {"redis_password": "other"}, {"redis_security": "plaintext"})):
        with pytest.raises(Exception, match=r"(?i)certificate|password|closed|reset"):
            online(settings.model_copy(update={"var": tmp_path / str(number), **change}))
