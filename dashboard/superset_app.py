"""Prepare Superset's own database and import the board; every step is idempotent."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from dashboard import database
from dashboard.admin import ADMIN, admin_password_file, write_secrets
from jishi.paths import Paths

CONFIG = Path(__file__).with_name("superset_config.py")
BOARD = Path(__file__).with_name("board")
MARTS_URI_PLACEHOLDER = "duckdb:///MARTS"


def create_app() -> Any:
    """Superset's Flask application with our configuration. ``write_secrets`` (dashboard.admin) first."""
    os.environ["SUPERSET_CONFIG_PATH"] = str(CONFIG)
    logging.disable(logging.WARNING)  # Superset tells a page of warnings at every start; errors still show
    from superset.app import create_app as create_superset

    return create_superset()


def prepare(paths: Paths, progress: Callable[[str], None]) -> None:
    """Bring Superset's database up to date, make the admin and import the board. ``tell`` gets one line a step."""
    database.copy_template(paths)
    app = migrated_app(paths, progress)
    with app.app_context():
        admin = _ensure_admin(admin_password_file(paths).read_text().strip())
        progress("board")
        _import_board(paths.marts, admin)


def migrated_app(paths: Paths, progress: Callable[[str], None]) -> Any:
    """The application over a database of the installed version, with roles and permissions; migrates only when it must."""
    write_secrets(paths)
    app = create_app()
    if database.is_migrated(paths):
        return app
    with app.app_context():
        progress("database schema")
        _upgrade_database()
        progress("roles and permissions")
        _sync_permissions()
    database.note_version(paths)
    return app


def _upgrade_database() -> None:
    from flask_migrate import upgrade

    upgrade()
    logging.disable(logging.WARNING)  # alembic's logging configuration switches it back on


def _sync_permissions() -> None:
    from superset import appbuilder, security_manager

    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()


def _ensure_admin(password: str) -> Any:
    from superset import security_manager

    known = security_manager.find_user(username=ADMIN)
    if known:
        return known
    role = security_manager.find_role("Admin")
    user = security_manager.add_user(ADMIN, "Jishi", "Admin", "admin@jishi.invalid", role, password=password)
    if not user:
        raise RuntimeError("Superset refused to create the user 'admin'; look into var/log/superset.log")
    return user


def board_contents(marts: Path) -> dict[str, str]:
    """The YAML files of ``board/`` by the path that Superset's importer expects, with the database's address filled in."""
    contents = {}
    for file in sorted(BOARD.rglob("*.yaml")):
        text = file.read_text().replace(MARTS_URI_PLACEHOLDER, f"duckdb:///{marts}")
        yaml.safe_load(text)  # a broken file should name itself here and not deep inside the importer
        contents[str(file.relative_to(BOARD))] = text
    return contents


def _import_board(marts: Path, admin: Any) -> None:
    """Make Superset's board that of the YAML files.

    One import a kind: an import of dashboards would leave data sets and charts that are there already as they are.
    """
    from flask import g
    from superset.commands.chart.importers.v1 import ImportChartsCommand
    from superset.commands.dashboard.importers.v1 import ImportDashboardsCommand
    from superset.commands.dataset.importers.v1 import ImportDatasetsCommand

    g.user = admin
    contents = board_contents(marts)
    metadata = yaml.safe_load(contents["metadata.yaml"])
    commands = {"SqlaTable": ImportDatasetsCommand, "Slice": ImportChartsCommand, "Dashboard": ImportDashboardsCommand}
    for kind, command in commands.items():
        manifest = yaml.safe_dump(metadata | {"type": kind})
        command(contents | {"metadata.yaml": manifest}, overwrite=True).run()
