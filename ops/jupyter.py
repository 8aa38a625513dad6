"""Jupyter Lab on the notebooks: a server in an environment of its own, whose kernels are the main environment's."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings

GROUP = "jupyter"


class JupyterMissing(RuntimeError):
    """The environment of the server cannot be made; the message says what to do."""


def install(paths: Paths) -> None:
    """Make the environment of the server, about 150 MB, where it is not there yet. Raises JupyterMissing."""
    python = paths.python(GROUP)
    if python.with_name("jupyter-lab").exists():
        return
    of_setup = paths.envs / "uv" / "bin" / "uv"
    uv = str(of_setup) if of_setup.exists() else shutil.which("uv")
    if uv is None:
        raise JupyterMissing("uv is missing; run: bash scripts/setup")
    command = [uv, "sync", "--quiet", "--locked", "--no-default-groups", "--group", GROUP]
    environment = os.environ | {"UV_PROJECT_ENVIRONMENT": str(python.parents[1]), "UV_PYTHON_DOWNLOADS": "never"}
    environment |= {"UV_PYTHON": str(paths.main_python().resolve())}
    if subprocess.run(command, check=False, cwd=PROJECT_ROOT, env=environment).returncode != 0:
        raise JupyterMissing("could not sync the environment 'jupyter'; see the lines above")


def server(settings: Settings, paths: Paths) -> tuple[list[str], dict[str, str]]:
    """The command of the server and its environment; the token is made once and lies in ``var/jupyter/token``.

    It asks nothing of the internet: no news, no extension manager, no version check.
    """
    _write_kernel(paths)
    # The page would ask on its first start whether it may fetch news.
    unasked = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    write_atomically(paths.jupyter / "config" / "labconfig" / "page_config.json", json.dumps(unasked))
    token = paths.jupyter / "token"
    if not token.exists():
        write_atomically(token, secrets.token_urlsafe(32), mode=0o600)
    options = {
        "ServerApp.ip": settings.host,
        "ServerApp.port": str(settings.jupyter_port),
        "ServerApp.port_retries": "0",
        "ServerApp.root_dir": str(PROJECT_ROOT / "notebooks"),
        "ServerApp.open_browser": "False",
        "ServerApp.allow_root": "True",  # who runs the platform runs the server
        "KernelSpecManager.allowed_kernelspecs": "jishi",
        "KernelSpecManager.ensure_native_kernel": "False",
        "MultiKernelManager.default_kernel_name": "jishi",
        "LabApp.extension_manager": "readonly",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    command = [str(paths.python(GROUP).with_name("jupyter-lab")), *(f"--{name}={value}" for name, value in options.items())]
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    environment = os.environ | {name: str(paths.jupyter / folder) for name, folder in folders.items()}
    return command, environment | {"JUPYTER_TOKEN": token.read_text(encoding="utf-8"), "JISHI_VAR": str(settings.var)}


def address(settings: Settings, paths: Paths) -> str:
    """Where the server answers, with its token."""
    return f"http://{settings.host}:{settings.jupyter_port}/lab?token={(paths.jupyter / 'token').read_text(encoding='utf-8')}"


def _write_kernel(paths: Paths) -> Path:
    """The kernel ``jishi``: Python of the main environment, where the platform's own modules are."""
    search = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]))
    kernel = {
        "argv": [str(paths.main_python()), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Jishi",
        "language": "python",
        "env": {"PYTHONPATH": search},
    }
    file = paths.jupyter / "data" / "kernels" / "jishi" / "kernel.json"
    write_atomically(file, json.dumps(kernel, indent=2))
    return file
