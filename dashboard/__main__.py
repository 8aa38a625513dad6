"""``python -m dashboard setup|serve|template`` (superset environment)."""

from __future__ import annotations

import os
import sys
import tempfile
import time

from dashboard.admin import admin_password_file, write_secrets
from dashboard.database import copy, database_file, template_file
from dashboard.superset_app import migrated_app, prepare
from jishi.paths import Paths
from jishi.settings import get_settings

USAGE = "usage: python -m dashboard setup|serve|template"


def setup() -> None:
    """Prepare Superset and import the boards, telling each step and its seconds."""
    settings = get_settings()
    paths = Paths.of(settings)
    began = time.monotonic()
    prepare(
        paths, settings.portal_address, lambda step: print(f"superset: {step} ({time.monotonic() - began:.0f} s)", flush=True)
    )
    print(f"superset: ready after {time.monotonic() - began:.0f} s; user admin, password in {admin_password_file(paths)}")


def template() -> None:
    """Migrate an empty database in a scratch folder and keep it (``scripts/setup`` does, while other environments are made)."""
    target = template_file(get_settings().envs)
    if not target.exists():
        with tempfile.TemporaryDirectory(prefix="jishi-superset-") as scratch:
            os.environ["JISHI_VAR"] = scratch
            get_settings.cache_clear()  # Superset's configuration reads the settings anew
            aside = Paths.of(get_settings())
            migrated_app(aside, lambda step: print(f"superset: {step}", flush=True))
            copy(database_file(aside), target)
    print(f"Superset's database template: {target}")


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
    commands = {"setup": setup, "serve": serve, "template": template}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(USAGE)
    commands[sys.argv[1]]()


if __name__ == "__main__":
    main()
