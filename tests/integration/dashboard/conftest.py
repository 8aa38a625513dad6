"""Twin shops behind a portal and a real Superset, which starts once for all tests that ask for it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops.marts_file import link_newest
from ops.ports import free_port
from tests.integration.dashboard.superset_twins import SupersetTwins
from tests.unit.dashboard.portal.twins import TwinShops

START_S = 240  # 15 s on a machine with nothing else to do


@pytest.fixture(scope="session")
def superset(tmp_path_factory: pytest.TempPathFactory, semantic_manifest: dict[str, Any]) -> Iterator[SupersetTwins]:
    """Superset over the twins' marts, prepared as the platform's is."""
    folder = tmp_path_factory.mktemp("superset")
    ports = {"superset_port": free_port(), "portal_port": free_port()}
    settings = Settings(var=folder / "var", _env_file=None, **ports)  # type: ignore[arg-type]
    twins = TwinShops(folder, semantic_manifest, settings)
    link_newest(settings)
    paths, log = Paths.of(settings), folder / "superset.log"
    variables = {"JISHI_VAR": str(settings.var), **{f"JISHI_{name.upper()}": str(port) for name, port in ports.items()}}
    command = [str(paths.python("superset")), "-m", "tests.integration.dashboard.superset_server"]
    with log.open("w") as out:
        server = subprocess.Popen(command, env=os.environ | variables, cwd=PROJECT_ROOT, stdout=out, stderr=out)
    try:
        started = time.monotonic()
        while not (routes := paths.superset / "routes.json").exists():
            assert server.poll() is None, log.read_text()
            assert time.monotonic() - started < START_S, log.read_text()
            time.sleep(0.1)
        yield SupersetTwins(twins, routes)
    finally:
        server.terminate()
        server.wait()
