"""``python -m dashboard setup|serve|template|forget`` (superset environment; forget in any)."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, datetime

from dashboard.admin import admin_password_file, write_secrets
from dashboard.database import copy, database_file, forget_views, template_file
from dashboard.superset_app import migrated_app, prepare
from jishi.paths import Paths
from jishi.settings import get_settings

USAGE = "usage: python -m dashboard setup|serve|template|forget --days N [--dry-run]"


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


def forget() -> None:
    """Delete old notes of who looked at what (``jishi retain`` runs it)."""
    parser = argparse.ArgumentParser(prog="python -m dashboard forget")
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args(sys.argv[2:])
    database = database_file(Paths.of(get_settings()))
    count = forget_views(database, datetime.now(UTC), options.days, dry_run=options.dry_run) if database.exists() else 0
    print(f"{count} rows of who looked at what")


def main() -> None:
    """Dispatch."""
    if sys.argv[1:2] == ["forget"]:
        forget()
        return
    commands = {"setup": setup, "serve": serve, "template": template}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(USAGE)
    commands[sys.argv[1]]()


if __name__ == "__main__":
    main()
