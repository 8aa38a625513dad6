"""``python -m dashboard setup|serve`` (superset environment)."""

from __future__ import annotations

import os
import sys
import time

from dashboard.admin import admin_password_file, write_secrets
from dashboard.superset_app import prepare
from jishi.paths import Paths
from jishi.settings import get_settings

USAGE = "usage: python -m dashboard setup|serve"


def setup() -> None:
    """Prepare Superset and import the board, telling each step and its seconds."""
    paths = Paths.of(get_settings())
    began = time.monotonic()
    prepare(paths, lambda step: print(f"superset: {step} ({time.monotonic() - began:.0f} s)", flush=True))
    print(f"superset: ready after {time.monotonic() - began:.0f} s; user admin, password in {admin_password_file(paths)}")


def serve() -> None:
    """Become the web server. One worker with threads: the boards wait for DuckDB, not for Python."""
    settings = get_settings()
    write_secrets(Paths.of(settings))
    gunicorn = os.path.join(os.path.dirname(sys.executable), "gunicorn")
    bind = f"{settings.host}:{settings.superset_port}"
    options = [
        "--bind",
        bind,
        "--workers",
        "1",
        "--worker-class",
        "gthread",
        "--threads",
        "8",
        "--timeout",
        "120",
        "--no-control-socket",
    ]
    os.execv(gunicorn, [gunicorn, *options, "--name", "jishi-superset", "dashboard.superset_app:create_app()"])


def main() -> None:
    """Dispatch."""
    commands = {"setup": setup, "serve": serve}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(USAGE)
    commands[sys.argv[1]]()


if __name__ == "__main__":
    main()
