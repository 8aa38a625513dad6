"""One Flink for all tests of this folder; run them with the flink environment's python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyflink", reason="runs in the flink environment: .envs/flink/bin/python -m pytest tests/integration/flink")


@pytest.fixture(scope="session")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A JVM with its files in the returned folder."""
    from flink_jobs import engine
    from jishi.paths import Paths
    from jishi.settings import get_settings

    folder = tmp_path_factory.mktemp("flink")
    settings = get_settings()
    jvm = engine.start_jvm(Paths(var=folder, envs=settings.envs), settings.flink_jvm)
    yield folder
    engine.stop_jvm(jvm)
