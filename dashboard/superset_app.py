"""Prepare Superset's own database and import the boards; every step is idempotent."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from dashboard import database
from dashboard.admin import write_secrets
from dashboard.superset_boards import board_contents, boards
from dashboard.superset_roles import make_accounts, make_roles
from jishi.paths import Paths

CONFIG = Path(__file__).with_name("superset_config.py")


def create_app() -> Any:
    """Superset's Flask application with our configuration. ``write_secrets`` (dashboard.admin) first."""
    os.environ["SUPERSET_CONFIG_PATH"] = str(CONFIG)
    logging.disable(logging.WARNING)  # Superset tells a page of warnings at every start; errors still show
    from superset.app import create_app as create_superset

    return create_superset()


def prepare(paths: Paths, portal_address: str, progress: Callable[[str], None]) -> Any:
    """Bring Superset's database up to date, make roles and accounts, import the boards; the application.

    ``portal_address`` may embed them; ``progress`` gets one line a step.
    """
    database.copy_template(paths)
    app = migrated_app(paths, progress)
    with app.app_context():
        progress("roles")
        make_roles()
        admin = make_accounts(paths)
        progress("boards")
        _import_boards(paths.marts, admin)
        _let_embed(portal_address)
    return app


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
    from superset import appbuilder, db, security_manager

    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()
    db.session.commit()  # or the last role stays empty


def _import_boards(marts: Path, admin: Any) -> None:
    """Make Superset's boards, and its way to the marts, those of the YAML files.

    One import a kind: an import of dashboards would leave what is there already of the other kinds as it is.
    """
    from flask import g
    from superset.commands.chart.importers.v1 import ImportChartsCommand
    from superset.commands.dashboard.importers.v1 import ImportDashboardsCommand
    from superset.commands.database.importers.v1 import ImportDatabasesCommand
    from superset.commands.dataset.importers.v1 import ImportDatasetsCommand

    g.user = admin
    contents = board_contents(marts)
    metadata = yaml.safe_load(contents["metadata.yaml"])
    commands = {
        "Database": ImportDatabasesCommand,
        "SqlaTable": ImportDatasetsCommand,
        "Slice": ImportChartsCommand,
        "Dashboard": ImportDashboardsCommand,
    }
    for kind, command in commands.items():
        manifest = yaml.safe_dump(metadata | {"type": kind})
        command(contents | {"metadata.yaml": manifest}, overwrite=True).run()


def _let_embed(portal_address: str) -> None:
    """Let the portal embed the merchants' dashboards, each under its own uuid, and nobody embed any other."""
    from superset import db
    from superset.models.dashboard import Dashboard
    from superset.models.embedded_dashboard import EmbeddedDashboard

    db.session.query(EmbeddedDashboard).delete()
    for board in boards().values():
        for uuid in board.embedded.values():
            dashboard = db.session.query(Dashboard).filter_by(uuid=uuid).one()
            db.session.add(EmbeddedDashboard(uuid=UUID(uuid), dashboard_id=dashboard.id, allow_domain_list=portal_address))
    db.session.commit()
