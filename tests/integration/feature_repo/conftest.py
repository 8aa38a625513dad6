"""A feature store of its own for each test, with each online store by turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from feature_repo.store import apply
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings


@pytest.fixture
def settings(online_store: Any, tmp_path: Path) -> Settings:
    """A platform's folder, and the online store."""
    return Settings(var=tmp_path / "var", **online_store.settings, _env_file=None)  # type: ignore[call-arg]


@pytest.fixture
def paths(settings: Settings) -> Paths:
    """The folder with the feature store applied."""
    platform_paths = Paths.of(settings)
    apply(settings, platform_paths, open_version(settings))
    return platform_paths
