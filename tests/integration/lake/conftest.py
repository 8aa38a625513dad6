"""Settings of an empty lake, with each kind of catalog and warehouse by turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from ops.jars import fetch_jars


@pytest.fixture
def lake_settings(online_store: Any, tmp_path: Path) -> Settings:
    """A lake in a folder; its catalog is a database of the server that ``online_store`` is, or SQLite's file."""
    return _settings(tmp_path, lake_catalog_uri=online_store.settings.get("postgres_url", ""))


@pytest.fixture
def bucket_settings(object_store: str, tmp_path: Path) -> Settings:
    """A lake in a bucket of its own."""
    from pyarrow.fs import S3FileSystem

    store = S3FileSystem(
        endpoint_override=object_store, access_key="key", secret_key="secret", region="us-east-1", allow_bucket_creation=True
    )
    store.create_dir("jishi-lake")
    settings = _settings(
        tmp_path,
        lake_warehouse="s3://jishi-lake/warehouse",
        lake_s3_endpoint=object_store,
        lake_s3_access_key="key",
        lake_s3_secret_key="secret",
    )
    fetch_jars(Paths.of(settings), with_object_store=True)
    return settings


def _settings(folder: Path, **values: str) -> Settings:
    """Below a folder whose name an engine might take for something else."""
    return Settings(var=folder / "100%25 of our shops" / "var", envs=get_settings().envs, _env_file=None, **values)  # type: ignore[call-arg,arg-type]
