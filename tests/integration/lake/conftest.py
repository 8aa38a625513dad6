"""Settings of an empty lake, with each kind of catalog by turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jishi.settings import Settings, get_settings


@pytest.fixture
def lake_settings(online_store: Any, tmp_path: Path) -> Settings:
    """A lake in a folder; its catalog is a database of the server that ``online_store`` is, or SQLite's file."""
    uri = online_store.settings.get("postgres_url", "")
    return Settings(var=tmp_path / "var", envs=get_settings().envs, lake_catalog_uri=uri, _env_file=None)  # type: ignore[call-arg]
