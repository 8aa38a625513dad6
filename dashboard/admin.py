"""Superset's two accounts, the admin's and the portal's, and where the secrets lie; the portal reads them, too."""

from __future__ import annotations

import secrets
from pathlib import Path

from jishi.paths import Paths
from jishi.secret_files import write_once

ADMIN, PORTAL = "admin", "portal"


def admin_password_file(paths: Paths) -> Path:
    """Where the password of ``admin`` lies."""
    return paths.superset / "admin_password"


def portal_password_file(paths: Paths) -> Path:
    """Where the password of ``portal`` lies, the account that may ask for guest tokens and nothing else."""
    return paths.superset / "portal_password"


def secret_key_file(paths: Paths) -> Path:
    """Where the key that signs cookies lies."""
    return paths.superset / "secret_key"


def guest_key_file(paths: Paths) -> Path:
    """Where the key that signs guest tokens lies."""
    return paths.superset / "guest_key"


def write_secrets(paths: Paths) -> None:
    """Make each secret once, readable by the owner only."""
    keys, passwords = (secret_key_file(paths), guest_key_file(paths)), (admin_password_file(paths), portal_password_file(paths))
    for file, size in (*((key, 48) for key in keys), *((password, 18) for password in passwords)):
        write_once(file, secrets.token_urlsafe(size) + "\n")
