"""Settings of one platform. Of ``JISHI_*`` variables, a ``.env`` file, ``settings.env`` in the folder of its state, files of
the folder ``secrets``, and the defaults of the profile the first that names one counts; ``settings.example.env`` lists all.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from jishi.settings_sources import ProfileDefaults, SecretFiles

PROJECT_ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = PROJECT_ROOT / ".env"
OWN_FILE = "settings.env"  # below ``var``: what commands of the platform set for it, which lasts as long as its state


class Settings(BaseSettings):
    """Every knob of the platform. Ports are TCP ports on ``host``; durations end in their unit."""

    model_config = SettingsConfigDict(env_prefix="JISHI_", env_file=ENV_FILE, extra="ignore")

    profile: Literal["embedded", "cluster"] = Field(
        "embedded", description="embedded engines, or your own servers; sets defaults and nothing else: jishi settings"
    )
    parts: str = Field("", description="parts that jishi up runs on this machine, comma separated; empty: every one")
    part_hosts: str = Field(
        "",
        description="where the parts are when no supervisor of this machine runs them: PART=HOST, comma separated; a part may "
        "have several hosts",
    )
    secrets: str = Field(
        "", description="folder of files that each hold a setting, named as its variable in lower case (jishi_kafka_password)"
    )
    var: Path = Field(PROJECT_ROOT / "var", description="folder that holds all state")
    envs: Path = Field(PROJECT_ROOT / ".envs", description="folder of the engines' environments and fetched jars")
    host: str = Field("127.0.0.1", description="address that every server listens on")

    lake_catalog_uri: str = Field(
        "",
        description="the lake's catalog: sqlite:////PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME; empty: SQLite in var",
    )
    lake_warehouse: str = Field("", description="where the lake's tables lie: file:///PATH or s3://BUCKET/PATH; empty: in var")
    lake_s3_endpoint: str = Field("", description="URL of an object store that is not Amazon's; empty: Amazon's own")
    lake_s3_region: str = Field("us-east-1", description="region of the object store")
    lake_s3_access_key: str = Field("", description="access key of the object store; empty: the engines' own ways to find one")
    lake_s3_secret_key: str = Field("", description="secret of lake_s3_access_key")
    lake_keep_hours: int = Field(24, ge=1, description="snapshots that no version of the lake names are kept so long (hours)")
    lake_versions: int = Field(20, ge=1, description="versions of the lake that are kept, whatever their age")
    lake_live_commits: int = Field(
        1_000, ge=20, description="commits of bronze.events that are kept, the stream's last among them"
    )
    lake_orphan_hours: int = Field(
        168, ge=24, description="files that no snapshot knows are removed then; longer than the stream may be down (hours)"
    )

    kafka_bootstrap: str = Field("127.0.0.1:19092", description="Kafka bootstrap servers (HOST:PORT, comma separated)")
    kafka_replication: int = Field(1, ge=1, description="brokers that hold each partition of the topics that jishi makes")
    kafka_min_isr: int = Field(1, ge=1, description="of them so many have a record before it counts as written")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how clients talk to Kafka, as Kafka calls it"
    )
    kafka_ca_file: str = Field("", description="certificates (PEM) that Kafka is trusted by; empty: the system's")
    kafka_certificate_file: str = Field("", description="certificate and key (PEM) of Jishi as Kafka's client; empty: none")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="how clients log in to Kafka when kafka_security begins with SASL"
    )
    kafka_user: str = Field("", description="name to log in to Kafka with")
    kafka_password: str = Field("", description="password of kafka_user")
    kafka_controller_port: int = Field(19093, description="port of the embedded broker's controller")
    collector_port: int = Field(18080, description="port of the event intake")
    serving_port: int = Field(18081, description="port of the recommendation API")
    serving_workers: int = Field(
        1, ge=1, le=64, description="processes that answer on that port; each has its own state, and /metrics is that of all"
    )
    flink_port: int = Field(18082, description="port of Flink's web page and REST API")
    feature_writer_port: int = Field(18083, description="port of the feature writer's /metrics and /healthz")
    exporter_port: int = Field(18089, description="port of the platform's own /metrics: parts, stream, disk, what is published")
    flink_url: str = Field("", description="Flink's REST API as other parts know it; empty: http://HOST:FLINK_PORT")
    serving_url: str = Field(
        "", description="the recommendation API's address as other parts know it; empty: http://HOST:SERVING_PORT"
    )
    airflow_url: str = Field("", description="Airflow's address as its own processes know it; empty: http://HOST:AIRFLOW_PORT")
    airflow_public_url: str = Field("", description="Airflow's address as browsers know it; empty: airflow_url")
    airflow_database_url: str = Field(
        "", description="Airflow's database: postgresql+psycopg2://USER:PASSWORD@HOST:PORT/NAME; empty: SQLite in var"
    )
    airflow_port: int = Field(18084, description="port of Airflow's web page and API")
    superset_port: int = Field(18085, description="port of the dashboard")
    portal_port: int = Field(18087, description="port of the merchant's portal")
    portal_metrics_port: int = Field(18090, description="port of the portal's /metrics, which no browser needs")
    superset_url: str = Field("", description="the dashboard's address as browsers know it; empty: http://HOST:SUPERSET_PORT")
    superset_internal_url: str = Field(
        "", description="the dashboard's address as the portal's server knows it; empty: http://HOST:SUPERSET_PORT"
    )
    collector_url: str = Field(
        "", description="the event intake's address as browsers know it; empty: http://HOST:COLLECTOR_PORT"
    )
    portal_url: str = Field(
        "", description="the portal's address as browsers know it, without a path; empty: http://HOST:PORTAL_PORT"
    )
    docs_port: int = Field(18086, description="port of the static pages: dictionary, dbt docs, notebooks")
    jupyter_port: int = Field(18088, description="port of Jupyter while jishi notebook runs")

    storefront_keys: str = Field(
        "", description="track keys of the shops that show everybody a storefront to try, comma separated; empty: none does"
    )
    storefront_shoppers: str = Field(
        "", description="user ids of made-up shoppers that visitors of a storefront may be, comma separated; never a real one's"
    )

    trusted_proxies: int = Field(
        0,
        ge=0,
        description="proxies before storefronts or portal that add to X-Forwarded-For; 0: nobody's word is taken for it",
    )

    smtp_host: str = Field("", description="mail server of digests and alerts; empty: no mail is sent")
    smtp_port: int = Field(587, description="port of the mail server")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="how the mail server speaks TLS")
    smtp_ca_file: str = Field("", description="certificates that the mail server is trusted by; empty: the system's")
    smtp_from: str = Field("", description="sender of mail, such as Jishi <reports@example.org>")
    smtp_user: str = Field("", description="name to log in to the mail server with; empty: no login")
    smtp_password_file: str = Field("", description="file that holds the password of smtp_user")
    webhook_allow_private: bool = Field(False, description="let webhooks of digests and alerts lie in private networks")
    operators: str = Field(
        "",
        description="who is told of failed pipelines: mail addresses and wecom=URL, feishu=URL, slack=URL, comma separated",
    )
    operators_url: str = Field("", description="where their messages lead; empty: the home page, http://HOST:DOCS_PORT")

    allowed_lateness_s: int = Field(30, ge=0, description="an event known later than this after it happened is late")
    future_tolerance_s: int = Field(5, ge=0, description="an event dated further ahead than this is future")

    wal_segment_bytes: int = Field(16 * 2**20, ge=4096, description="size at which a write-ahead segment is sealed")
    wal_keep_s: int = Field(3600, ge=0, description="a write-ahead segment stays this long although the event log has it")
    collector_max_events: int = Field(500, ge=1, description="most events in one request")
    collector_max_bytes: int = Field(2**20, ge=1024, description="largest request body")
    collector_max_backlog: int = Field(50_000, ge=1, description="events waiting for fsync before the collector says 503")
    collector_events_per_s: int = Field(20_000, ge=1, description="events a shop may send each second before it gets 429")
    collector_recent_ids: int = Field(200_000, ge=1, description="event ids that the collector remembers to tell repetitions")

    checkpoint_interval_ms: int = Field(5_000, ge=100, description="Flink checkpoint interval; bronze files appear with it")
    flink_target: Literal["local", "remote"] = Field(
        "local",
        description="where the Flink job runs, as Flink calls it: in a JVM of the part flink, or on the cluster at flink_url",
    )
    flink_state_backend: Literal["hashmap", "rocksdb"] = Field(
        "hashmap",
        description="where the job's state lies, as Flink calls it; rocksdb: on disk, and checkpoints hold what changed",
    )
    flink_state_folder: str = Field(
        "", description="object store of the job's checkpoints and savepoints: s3://BUCKET/PATH; empty: in var"
    )
    # The quick compiler alone: on two busy cores it halves CPU time and start-up. A job that is never idle gains by the full.
    flink_jvm: str = Field(
        "-Xms256m -Xmx1536m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=128m",
        description="heap, collector and compiler of Flink's JVM",
    )
    stream_parallelism: int = Field(
        1,
        ge=1,
        description="parallelism of the Flink job; above 1 the order of one device's events is not the log's",
    )
    online_store: Literal["sqlite", "redis", "postgresql"] = Field("sqlite", description="Feast online store")
    redis_url: str = Field("127.0.0.1:6379", description="HOST:PORT of Redis when online_store is redis")
    redis_security: Literal["plaintext", "tls"] = Field("plaintext", description="whether Redis is spoken to over TLS")
    redis_ca_file: str = Field("", description="certificates (PEM) that Redis is trusted by; empty: the system's")
    redis_password: str = Field("", description="password of Redis; empty: no login")
    postgres_url: str = Field(
        "postgresql://jishi:jishi@127.0.0.1:5432/jishi",
        description="URL (user, password, host, port, database) of PostgreSQL when online_store is postgresql",
    )
    postgres_sslmode: Literal["prefer", "verify-full"] = Field(
        "prefer",
        description="TLS to PostgreSQL (online store, lake's catalog) as libpq calls it: when it offers it, or never without",
    )
    postgres_ca_file: str = Field("", description="certificates (PEM) that PostgreSQL is trusted by; empty: the system's")
    online_keep_days: int = Field(
        180, ge=1, description="a running value leaves the online store after so many days without an act"
    )
    shop_group_size: int = Field(250, ge=1, description="most shops that a task of a pipeline works on")
    served_values_rate: float = Field(0.05, ge=0, le=1, description="share of the feature values used by serving that it logs")
    served_answers_rate: float = Field(
        0.01, ge=0, le=1, description="share of the answers of serving that it logs with their inputs, to be replayed"
    )
    ladder_trials: float = Field(
        0.01,
        ge=0,
        le=0.2,
        description="share of the answers of serving on which a lower rung is tried; a shop may have another",
    )
    online_parity_delay_s: int = Field(10, ge=5, description="a value that serving used may be this far behind the log")
    online_parity_max_drift: float = Field(
        0.01, ge=0, le=1, description="share of wrong values of one feature above which online parity fails"
    )
    openlineage: str = Field(
        "", description="OpenLineage events of tasks and dbt builds: empty none, file into var/log/openlineage, or a URL"
    )
    traces: str = Field(
        "",
        description="OpenTelemetry traces of events and answers: empty none, file into var/log/traces, or the URL of an OTLP "
        "receiver (http://HOST:4318/v1/traces)",
    )
    traces_rate: float = Field(0.01, ge=0, le=1, description="share of the events, and of the answers, that are traced")
    watch_lag_s: int = Field(300, ge=0, description="bronze may be this far behind the event log before operators are told")
    watch_quarantine_rate: float = Field(
        0.05, ge=0, le=1, description="share of a shop's events in an hour that may be refused before operators are told"
    )
    spark_master: str = Field("local[2]", description="Spark master URL")
    spark_driver_memory: str = Field("3g", description="memory of the Spark driver")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where settings come from, the first counts."""
        return init_settings, env_settings, dotenv_settings, SecretFiles(settings_cls), ProfileDefaults(settings_cls)

    @property
    def superset_address(self) -> str:
        """Where browsers find Superset, without a slash at the end."""
        return self.superset_url.rstrip("/") or f"http://{self.host}:{self.superset_port}"

    @property
    def superset_internal_address(self) -> str:
        """Where the portal's server finds Superset, without a slash at the end."""
        return self.superset_internal_url.rstrip("/") or f"http://{self.host}:{self.superset_port}"

    @property
    def collector_address(self) -> str:
        """Where browsers find the event intake, without a slash at the end."""
        return self.collector_url.rstrip("/") or f"http://{self.host}:{self.collector_port}"

    @property
    def portal_address(self) -> str:
        """Where browsers find the portal, without a slash at the end."""
        return self.portal_url.rstrip("/") or f"http://{self.host}:{self.portal_port}"

    @property
    def flink_address(self) -> str:
        """Flink's REST API, without a slash at the end."""
        return self.flink_url.rstrip("/") or f"http://{self.host}:{self.flink_port}"

    @property
    def serving_address(self) -> str:
        """Where other parts find the recommendation API, without a slash at the end."""
        return self.serving_url.rstrip("/") or f"http://{self.host}:{self.serving_port}"

    @property
    def airflow_address(self) -> str:
        """Where Airflow's processes find its server, without a slash at the end."""
        return self.airflow_url.rstrip("/") or f"http://{self.host}:{self.airflow_port}"

    @property
    def airflow_public_address(self) -> str:
        """Where browsers find Airflow, without a slash at the end."""
        return self.airflow_public_url.rstrip("/") or self.airflow_address

    @property
    def operators_address(self) -> str:
        """Where messages to operators lead that name no other place."""
        return self.operators_url or f"http://{self.host}:{self.docs_port}/"

    @property
    def kafka_port(self) -> int:
        """Port of the embedded broker."""
        return int(self.kafka_bootstrap.split(",")[0].rsplit(":", 1)[1])


def env_files(var: Path) -> tuple[Path, ...]:
    """The files that may name settings of the platform below ``var``; of two that name one the later counts."""
    return (var / OWN_FILE, ENV_FILE) if (var / OWN_FILE).exists() else (ENV_FILE,)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once. Entry points call this; functions take settings as an argument."""
    settings = Settings()
    var = PROJECT_ROOT / settings.var
    if (var / OWN_FILE).exists():
        settings = Settings(_env_file=env_files(var))
    settings.var = var
    settings.envs = PROJECT_ROOT / settings.envs
    return settings
