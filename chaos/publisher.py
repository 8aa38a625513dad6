"""``python -m chaos.publisher NAME ROWS``: add rows one by one to the newest version of a table, each in its own publish."""

from __future__ import annotations

import sys

import pyarrow as pa

from chaos.losses import PUBLISHER_SHOP
from jishi.arrow_tables import to_arrow
from jishi.lake.publishing import Replacement, publish, rows_at
from jishi.lake.rows import Rows
from jishi.lake.versions import TableVersion
from jishi.settings import get_settings
from jishi.tables import SILVER_ITEMS


def main(name: str, count: int) -> None:
    """Publish ``count`` rows."""
    settings, where = get_settings(), Rows.of(shop_id=[PUBLISHER_SHOP])
    for number in range(count):
        item = dict.fromkeys(SILVER_ITEMS.columns) | {"shop_id": PUBLISHER_SHOP, "item_id": f"{name}-{number}"}

        def build(base: TableVersion | None, row: dict[str, object] = item) -> list[Replacement]:
            before = rows_at(settings, SILVER_ITEMS, base, where)
            rows = pa.concat_tables([before, to_arrow(SILVER_ITEMS, [row]).cast(before.schema)])
            return [Replacement(SILVER_ITEMS, where, rows)]

        publish(settings, f"chaos {name}", build)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
