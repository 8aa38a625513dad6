"""Settings of one platform, read from ``JISHI_*`` variables, a ``.env`` file, or ``settings.env`` in the folder of its state,
the first that names one; ``settings.example.env`` lists them all.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = PROJECT_ROOT / ".env"
OWN_FILE = "settings.env"  # below ``var``: what commands of the platform set for it, which lasts as long as its state


class Settings(BaseSettings):
    """Every knob of the platform. Ports are TCP ports on ``host``; durations end in their unit."""

    model_config = SettingsConfigDict(env_prefix="JISHI_", env_file=ENV_FILE, extra="ignore")

    profile: Literal["embedded", "cluster"] = Field("embedded", description="embedded engines, or your own servers")
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
    kafka_controller_port: int = Field(19093, description="port of the embedded broker's controller")
    collector_port: int = Field(18080, description="port of the event intake")
    serving_port: int = Field(18081, description="port of the recommendation API")
    serving_workers: int = Field(
        1, ge=1, le=64, description="processes that answer on that port; each has its own state, and /metrics is that of one"
    )
    flink_port: int = Field(18082, description="port of Flink's web page and REST API")
    feature_writer_port: int = Field(18083, description="port of the feature writer's /metrics and /healthz")
    exporter_port: int = Field(18089, description="port of the platform's own /metrics: parts, stream, disk, what is published")
    airflow_port: int = Field(18084, description="port of Airflow's web page and API")
    superset_port: int = Field(18085, description="port of the dashboard")
    portal_port: int = Field(18087, description="port of the merchant's portal")
    superset_url: str = Field("", description="the dashboard's address as browsers know it; empty: http://HOST:SUPERSET_PORT")
    collector_url: str = Field(
        "", description="the event intake's address as browsers know it; empty: http://HOST:COLLECTOR_PORT"
    )
    portal_url: str = Field("", description="the portal's address as browsers know it; empty: http://HOST:PORTAL_PORT")
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
        description="so many proxies stand before the storefronts and add to X-Forwarded-For; 0: nobody's word is taken for it",
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
    # The quick compiler alone: on two busy cores it halves CPU time and start-up. A job that is never idle gains by the full.
    flink_jvm: str = Field(
        "-Xms256m -Xmx1536m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=128m",
        description="heap, collector and compiler of Flink's JVM",
    )
    stream_parallelism: int = Field(1, ge=1, description="parallelism of the Flink job")
    online_store: Literal["sqlite", "redis", "postgresql"] = Field("sqlite", description="Feast online store")
    redis_url: str = Field("127.0.0.1:6379", description="HOST:PORT of Redis when online_store is redis")
    postgres_url: str = Field(
        "postgresql://jishi:jishi@127.0.0.1:5432/jishi",
        description="URL (user, password, host, port, database) of PostgreSQL when online_store is postgresql",
    )
    online_keep_days: int = Field(
        180, ge=1, description="a running value leaves the online store after so many days without an act"
    )
    shop_group_size: int = Field(50, ge=1, description="most shops that a task of a pipeline works on")
    served_values_rate: float = Field(0.05, ge=0, le=1, description="share of the feature values used by serving that it logs")
    served_answers_rate: float = Field(
        0.01, ge=0, le=1, description="share of the answers of serving that it logs with their inputs, to be replayed"
    )
    online_parity_delay_s: int = Field(10, ge=5, description="a value that serving used may be this far behind the log")
    online_parity_max_drift: float = Field(
        0.01, ge=0, le=1, description="share of wrong values of one feature above which online parity fails"
    )
    openlineage: str = Field(
        "", description="OpenLineage events of tasks and dbt builds: empty none, file into var/log/openlineage, or a URL"
    )
    watch_lag_s: int = Field(300, ge=0, description="bronze may be this far behind the event log before operators are told")
    watch_quarantine_rate: float = Field(
        0.05, ge=0, le=1, description="share of a shop's events in an hour that may be refused before operators are told"
    )
    spark_master: str = Field("local[2]", description="Spark master URL")
    spark_driver_memory: str = Field("3g", description="memory of the Spark driver")

    @property
    def superset_address(self) -> str:
        """Where browsers find Superset, without a slash at the end."""
        return self.superset_url.rstrip("/") or f"http://{self.host}:{self.superset_port}"

    @property
    def collector_address(self) -> str:
        """Where browsers find the event intake, without a slash at the end."""
        return self.collector_url.rstrip("/") or f"http://{self.host}:{self.collector_port}"

    @property
    def portal_address(self) -> str:
        """Where browsers find the portal, without a slash at the end."""
        return self.portal_url.rstrip("/") or f"http://{self.host}:{self.portal_port}"

    @property
    def kafka_port(self) -> int:
        """Port of the embedded broker."""
        return int(self.kafka_bootstrap.split(",")[0].rsplit(":", 1)[1])


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once. Entry points call this; functions take settings as an argument."""
    settings = Settings()
    var = PROJECT_ROOT / settings.var
    if (var / OWN_FILE).exists():
        settings = Settings(_env_file=(var / OWN_FILE, ENV_FILE))
    settings.var = var
    settings.envs = PROJECT_ROOT / settings.envs
    return settings
