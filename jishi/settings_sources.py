"""Where settings come from besides variables and ``.env`` files: files of secrets, and the defaults of a profile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource, SecretsSettingsSource

# Names of servers are those of deploy/compose.yaml and of the Helm chart's example; nothing but these values is the profile.
PROFILES: dict[str, dict[str, Any]] = {
    "embedded": {},
    "cluster": {
        "parts": "collector,forwarder,flink,feature_writer,serving,portal,airflow-api,airflow-scheduler,airflow-dags,"
        "airflow-triggerer,superset,exporter,site",
        "part_hosts": "collector=collector-1,collector=collector-2,feature_writer=feature-writer,serving=serving,"
        "serving=serving-2,portal=portal,airflow-api=airflow-api,superset=superset,exporter=exporter,site=site",
        "host": "0.0.0.0",
        "kafka_bootstrap": "kafka-1:9092,kafka-2:9092,kafka-3:9092",
        "kafka_replication": 3,
        "kafka_min_isr": 2,
        "lake_catalog_uri": "postgresql://jishi:jishi@postgres:5432/jishi",
        "lake_warehouse": "s3://jishi/lake",
        "lake_s3_endpoint": "http://object-store:7070",
        "airflow_database_url": "postgresql+psycopg2://jishi:jishi@postgres:5432/airflow",
        "flink_target": "remote",
        "flink_url": "http://flink-jobmanager:8081",
        "flink_state_backend": "rocksdb",
        "flink_state_folder": "s3://jishi/flink",
        "serving_url": "http://serving:18081",
        "airflow_url": "http://airflow-api:18084",
        "superset_internal_url": "http://superset:18085",
        "online_store": "redis",
        "redis_url": "redis:6379",
        "postgres_url": "postgresql://jishi:jishi@postgres:5432/jishi",
        "serving_workers": 2,
        "spark_master": "spark://spark-master:7077",
    },
}
# Addresses that may hold a password.
ADDRESSES = ("postgres_url", "airflow_database_url", "lake_catalog_uri", "redis_url")
_SECRET_WORDS = ("password", "secret_key", "access_key", "storefront_keys", *ADDRESSES)


def is_secret(name: str) -> bool:
    """Whether a setting's value must not be shown or copied; an address may be shown in part. Of a file it names the place."""
    return any(word in name for word in _SECRET_WORDS) and not name.endswith("_file")


class SecretFiles(PydanticBaseSettingsSource):
    """Files of the folder that the setting ``secrets`` names: how Docker and Kubernetes hand secrets to a container."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not asked: ``__call__`` answers for all fields."""
        raise NotImplementedError(field_name)

    def __call__(self) -> dict[str, Any]:
        """What the files hold. Raises ValueError when the folder is not there: a secret would be missing in silence."""
        folder = self.current_state.get("secrets")
        if not folder:
            return {}
        if not Path(folder).is_dir():
            raise ValueError(f"JISHI_SECRETS: {folder} is no folder; name one with files such as jishi_kafka_password")
        return SecretsSettingsSource(self.settings_cls, secrets_dir=folder, env_prefix="JISHI_")()


class ProfileDefaults(PydanticBaseSettingsSource):
    """What ``profile`` sets where nothing else does."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not asked: ``__call__`` answers for all fields."""
        raise NotImplementedError(field_name)

    def __call__(self) -> dict[str, Any]:
        """The defaults of the profile that the sources before this one chose."""
        return PROFILES.get(self.current_state.get("profile", "embedded"), {})
