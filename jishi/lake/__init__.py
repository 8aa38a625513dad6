"""The lake: Iceberg tables that are published as versions, each one cut of all of them."""

from jishi.lake.versions import TableNotPublished

__all__ = ["TableNotPublished"]
