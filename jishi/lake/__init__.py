"""The lake: tables that are published, not overwritten."""

from jishi.lake.folders import Draft, Lake
from jishi.lake.versions import TableNotPublished

__all__ = ["Draft", "Lake", "TableNotPublished"]
