"""A feature store of its own for each test, and one Kafka broker for the module that needs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_repo.store import apply
from jishi.paths import Paths
from jishi.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(var=tmp_path / "var", _env_file=None)  # type: ignore[call-arg]


@pytest.fixture
def paths(settings: Settings) -> Paths:
    made = Paths.of(settings)
    apply(settings, made)
    return made
