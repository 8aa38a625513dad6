"""The lake: tables that are published, not overwritten."""

from jishi.lake.folders import Draft, Lake, TableNotPublished

__all__ = ["Draft", "Lake", "TableNotPublished"]
