"""Parquet files of an object store for DuckDB, whose own reader of one is an extension that cannot be had offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jishi.settings import Settings
from jishi.tables import TableSchema

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset


def is_url(path: str) -> bool:
    """Whether a file lies in an object store, and not in a folder."""
    return "://" in path


def open_files(settings: Settings, schema: TableSchema, urls: Sequence[str]) -> Dataset:
    """Files of a table as a dataset, which DuckDB reads with the columns and rows that it needs; a missing column is null."""
    from pyarrow import dataset
    from pyarrow.fs import S3FileSystem

    from jishi.arrow_tables import arrow_schema

    endpoint = urlsplit(settings.lake_s3_endpoint)
    store = S3FileSystem(
        access_key=settings.lake_s3_access_key or None,
        secret_key=settings.lake_s3_secret_key or None,
        region=settings.lake_s3_region,
        endpoint_override=endpoint.netloc or None,
        scheme=endpoint.scheme or "https",
    )
    paths = [url.split("://", 1)[1] for url in urls]
    return dataset.dataset(paths, schema=arrow_schema(schema), filesystem=store, format="parquet")
