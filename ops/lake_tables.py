"""``python -m ops.lake_tables``: make what the lake lacks of its declared tables and columns; before anything writes to it."""

from __future__ import annotations

import sys

from jishi.lake.catalog import CatalogSettingWrong, warehouse
from jishi.lake.table_creation import TableConflict, create_tables
from jishi.settings import get_settings


def main() -> int:
    """Make them; returns the exit code."""
    settings = get_settings()
    try:
        create_tables(settings)
    except (CatalogSettingWrong, TableConflict) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"the lake's tables are in {warehouse(settings)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
