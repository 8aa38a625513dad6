"""Jupyter opens on the notebooks for who has the token, with kernels of the main environment, and asks for nothing outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops import jupyter


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    given = {"var": tmp_path / "var", "envs": tmp_path / "envs", "host": "10.1.2.3", "jupyter_port": 4321}
    return Settings(**given, _env_file=None)


def test_the_server_is_of_this_platform(settings: Settings, tmp_path: Path) -> None:
    paths = Paths.of(settings)
    command, environment = jupyter.server(settings, paths)
    assert command[0] == str(tmp_path / "envs" / "jupyter" / "bin" / "jupyter-lab")
    assert {"--ServerApp.ip=10.1.2.3", "--ServerApp.port=4321", f"--ServerApp.root_dir={PROJECT_ROOT / 'notebooks'}"} <= {
        *command
    }
    token = paths.jupyter / "token"
    assert token.stat().st_mode & 0o077 == 0
    assert environment["JUPYTER_TOKEN"] == token.read_text() == jupyter.server(settings, paths)[1]["JUPYTER_TOKEN"]
    assert not any(token.read_text() in word for word in command), "other users of the machine can read command lines"
    kernel = json.loads((paths.jupyter / "data" / "kernels" / "jishi" / "kernel.json").read_text())
    assert kernel["argv"][0] == str(PROJECT_ROOT / ".venv" / "bin" / "python")
    assert (environment["JUPYTER_DATA_DIR"], environment["JISHI_VAR"]) == (str(paths.jupyter / "data"), str(settings.var))


def test_without_uv_it_says_what_to_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(jupyter.JupyterMissing, match="bash scripts/setup"):
        jupyter.install(Paths.of(settings))
