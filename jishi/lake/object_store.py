"""Let DuckDB read a lake that lies in an object store; a lake in a folder needs nothing."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jishi.lake.catalog import is_in_object_store
from jishi.settings import Settings

if TYPE_CHECKING:
    import duckdb


def reach(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Prepare a connection for the warehouse of the settings."""
    for statement in statements(settings):
        connection.execute(statement)


def statements(settings: Settings) -> list[str]:
    """What DuckDB needs before it reads a file of the warehouse: its client, from the locked package, and the keys.

    Keys that are not set are those of the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``).
    """
    if not is_in_object_store(settings):
        return []
    options = {
        "key_id": settings.lake_s3_access_key or os.environ.get("AWS_ACCESS_KEY_ID", ""),
        "secret": settings.lake_s3_secret_key or os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
        "session_token": os.environ.get("AWS_SESSION_TOKEN", "") if not settings.lake_s3_access_key else "",
        "region": settings.lake_s3_region,
    }
    if settings.lake_s3_endpoint:
        endpoint = urlsplit(settings.lake_s3_endpoint)
        options |= {"endpoint": endpoint.netloc, "url_style": "path", "use_ssl": str(endpoint.scheme == "https").lower()}
    listed = ", ".join(f"{name} {_quoted(value)}" for name, value in options.items() if value)
    return [f"load {_quoted(str(_extension()))}", f"create or replace secret lake (type s3, {listed})"]


def _extension() -> Path:
    """DuckDB's HTTP client, as the package of the locked version brings it; DuckDB itself would ask the network for it."""
    spec = find_spec("duckdb_extension_httpfs")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("a lake in an object store needs duckdb-extension-httpfs; run: bash scripts/setup")
    [file] = Path(spec.submodule_search_locations[0]).rglob("*.duckdb_extension")
    return file


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
