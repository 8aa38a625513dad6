"""Superset's roles, made as ``roles.yaml`` says, and the accounts that the platform itself needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dashboard.admin import ADMIN, PORTAL, admin_password_file, portal_password_file
from jishi.paths import Paths

ROLES = Path(__file__).with_name("roles.yaml")


def make_roles() -> None:
    """Give each role of the file exactly its permissions. Raises LookupError for one that Superset does not know."""
    from superset import db, security_manager

    for name, wanted in yaml.safe_load(ROLES.read_text(encoding="utf-8")).items():
        permissions = [each for role in wanted.pop("includes", ()) for each in security_manager.find_role(role).permissions]
        for permission, views in wanted.items():
            for view in views:
                known = security_manager.find_permission_view_menu(permission, view)
                if known is None:
                    raise LookupError(f"{ROLES.name}: role {name} wants {permission} on {view}, which Superset does not have")
                permissions.append(known)
        role = security_manager.add_role(name)
        role.permissions = list(dict.fromkeys(permissions))
    db.session.commit()


def make_accounts(paths: Paths) -> Any:
    """Make the admin and the portal's account when they are not there; return the admin."""
    _account(PORTAL, "Portal", portal_password_file(paths))
    return _account(ADMIN, "Admin", admin_password_file(paths))


def _account(name: str, role: str, password_file: Path) -> Any:
    from superset import security_manager

    known = security_manager.find_user(username=name)
    if known:
        return known
    of_role, password = security_manager.find_role(role), password_file.read_text(encoding="utf-8").strip()
    user = security_manager.add_user(name, "Jishi", role, f"{name}@jishi.invalid", of_role, password=password)
    if not user:
        raise RuntimeError(f"Superset refused to create the user {name!r}; look into var/log/superset.log")
    return user
