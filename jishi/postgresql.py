"""PostgreSQL as each driver is configured for it: address and TLS, from a URL and the settings."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode

from jishi.settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What pg8000 wants as ``ssl_context``: the server's certificate and its name are checked. None: TLS if it is offered."""
    if settings.postgres_sslmode == "prefer":
        return None
    return ssl.create_default_context(cafile=settings.postgres_ca_file or None)


def pg8000_arguments(uri: SplitResult, settings: Settings) -> dict[str, Any]:
    """Arguments of pg8000's ``connect``."""
    return {
        "user": unquote(uri.username or ""),
        "host": uri.hostname or "localhost",
        "port": uri.port or 5432,
        "database": unquote(uri.path[1:]),
        "password": unquote(uri.password) if uri.password else None,
        "ssl_context": tls_context(settings),
    }


def jdbc_uri(uri: SplitResult, settings: Settings) -> str:
    """The address for the JVM's driver, without user and password."""
    address = f"jdbc:postgresql://{uri.hostname}:{uri.port or 5432}{uri.path}"
    if settings.postgres_sslmode == "prefer":
        return address
    # Without a file the JVM's own list of authorities; by itself the driver would look for one in the user's home.
    trusted = {"sslrootcert": settings.postgres_ca_file} if settings.postgres_ca_file else {"sslfactory": _JAVAS_OWN}
    return f"{address}?{urlencode({'sslmode': 'verify-full', **trusted}, safe='/')}"


_JAVAS_OWN = "org.postgresql.ssl.DefaultJavaSSLFactory"
