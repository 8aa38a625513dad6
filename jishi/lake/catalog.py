"""The lake's Iceberg catalog, ``lake``, as each engine is configured for it; everything follows from the settings.

Tables are ``<namespace>.<table>`` in Iceberg where ``jishi.tables`` says ``<namespace>/<table>``. The catalog is a SQL database
that all engines share (Iceberg's JDBC catalog): SQLite in the embedded profile, PostgreSQL by URI. Only the functions that
open it need pyiceberg, which the environments of Flink and Airflow do not have.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote, urlsplit

from jishi.files import file_uri
from jishi.paths import Paths
from jishi.postgresql import jdbc_uri, tls_context
from jishi.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog

CATALOG = "lake"
NAMESPACES = ("bronze", "silver", "features", "recommendations", "customers", "attribution")
WAIT_S = 30  # how long a writer waits for another one's transaction in SQLite


class CatalogSettingWrong(ValueError):
    """A setting of the lake cannot be used; the message names it and the fix."""


def identifier(name: str) -> str:
    """Iceberg's name of the table that ``jishi.tables`` calls ``name``: ``silver/events`` → ``silver.events``."""
    return name.replace("/", ".")


def warehouse(settings: Settings) -> str:
    """URI of the folder that holds the tables."""
    uri = settings.lake_warehouse or _uri_of_folder(Paths.of(settings).lake / "warehouse")
    if urlsplit(uri).scheme not in ("file", "s3"):
        raise CatalogSettingWrong(f"JISHI_LAKE_WAREHOUSE is {uri!r}; write file:///PATH or s3://BUCKET/PATH")
    return uri.rstrip("/")


def _uri_of_folder(folder: Path) -> str:
    try:
        return file_uri(folder)
    except ValueError as error:
        raise CatalogSettingWrong(str(error)) from None


def is_in_object_store(settings: Settings) -> bool:
    """Whether the warehouse is an object store, for which the engines need jars of their own (``python -m ops.jars s3``)."""
    return warehouse(settings).startswith("s3:")


def jdbc_options(settings: Settings) -> dict[str, str]:
    """Iceberg's own options of the catalog, the same for every engine of the JVM, without prefix."""
    uri = _catalog_uri(settings)
    options = {"jdbc.schema-version": "V1", "warehouse": warehouse(settings)}
    if uri.scheme == "sqlite":
        options["uri"] = f"jdbc:sqlite:{_sqlite_file(uri)}?journal_mode=WAL&busy_timeout={WAIT_S * 1000}"
    else:
        options["uri"] = jdbc_uri(uri, settings)
        options |= {"jdbc.user": unquote(uri.username or ""), "jdbc.password": unquote(uri.password or "")}
    if is_in_object_store(settings):
        options |= {"io-impl": "org.apache.iceberg.aws.s3.S3FileIO", "client.region": settings.lake_s3_region}
        options |= _s3_options(settings) | {"s3.path-style-access": str(bool(settings.lake_s3_endpoint)).lower()}
    return options


def spark_options(settings: Settings) -> dict[str, str]:
    """Options of a Spark session that knows the tables as ``lake.<namespace>.<table>``."""
    catalog = f"spark.sql.catalog.{CATALOG}"
    return {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "jdbc",
        f"{catalog}.cache-enabled": "false",  # others commit beside Spark, and a publish reads what it has just written
    } | {f"{catalog}.{key}": value for key, value in jdbc_options(settings).items()}


def is_secret(option: str) -> bool:
    """Whether an option's value must not stand on a command line, where every user of the machine can read it."""
    return option.endswith(("jdbc.password", "s3.secret-access-key"))


def flink_catalog_options(settings: Settings) -> dict[str, str]:
    """Options of Flink's ``CREATE CATALOG``."""
    return {"type": "iceberg", "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog"} | jdbc_options(settings)


def open_catalog(settings: Settings) -> SqlCatalog:
    """The catalog in Python; its own tables are made when they are missing."""
    from pyiceberg.catalog.sql import SqlCatalog
    from sqlalchemy import event

    uri = _catalog_uri(settings)
    if uri.scheme == "sqlite":
        file = _sqlite_file(uri)
        file.parent.mkdir(parents=True, exist_ok=True)
        address = f"sqlite:///{quote(str(file))}?timeout={WAIT_S}"
    else:
        address = f"postgresql+pg8000://{uri.netloc}{uri.path}"
    # A long-lived process holds connections that a server which has started anew does not know.
    options = {"uri": address, "warehouse": warehouse(settings), "pool_pre_ping": str(uri.scheme == "postgresql").lower()}
    if is_in_object_store(settings):
        options |= _s3_options(settings) | {"s3.region": settings.lake_s3_region}
    context = tls_context(settings) if uri.scheme == "postgresql" else None

    class Catalog(SqlCatalog):
        """The same over TLS: an address of SQLAlchemy cannot ask for it, and making the catalog connects."""

        def _init_catalog(self) -> None:
            if context is not None:
                event.listen(self.engine, "do_connect", lambda _, __, ___, named: named.update(ssl_context=context))
            super()._init_catalog()

    with alone(settings):
        return Catalog(CATALOG, **options)


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the lock under which this machine makes what the catalog lacks: two that make the same at once would fail."""
    file = Paths.of(settings).lake / "catalog.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _catalog_uri(settings: Settings) -> SplitResult:
    text = settings.lake_catalog_uri or f"sqlite:///{quote(str(Paths.of(settings).lake_catalog.absolute()))}"
    uri = urlsplit(text)
    if uri.scheme == "sqlite" and not uri.netloc and uri.path.startswith("//"):
        return uri
    if uri.scheme == "postgresql" and uri.hostname and len(uri.path) > 1:
        return uri
    raise CatalogSettingWrong(
        f"JISHI_LAKE_CATALOG_URI is of the form {uri.scheme}://…; write sqlite:////PATH (four slashes, an absolute path) or "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    )


def _sqlite_file(uri: SplitResult) -> Path:
    return Path(unquote(uri.path[1:]))


def _s3_options(settings: Settings) -> dict[str, str]:
    """What pyiceberg and the engines of the JVM call alike; what is not set is left to the engine."""
    options = {
        "s3.endpoint": settings.lake_s3_endpoint,
        "s3.access-key-id": settings.lake_s3_access_key,
        "s3.secret-access-key": settings.lake_s3_secret_key,
    }
    return {key: value for key, value in options.items() if value}
