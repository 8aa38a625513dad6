"""The board's first user and where its secrets lie; read by Superset's side and by the browser check."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from jishi.paths import Paths

ADMIN = "admin"


def admin_password_file(paths: Paths) -> Path:
    """Where the password of ``admin`` lies."""
    return paths.superset / "admin_password"


def secret_key_file(paths: Paths) -> Path:
    """Where the key that signs cookies lies."""
    return paths.superset / "secret_key"


def write_secrets(paths: Paths) -> None:
    """Make the cookie secret and the admin's password once, readable by the owner only."""
    for file, size in ((secret_key_file(paths), 48), (admin_password_file(paths), 18)):
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(size) + "\n")
