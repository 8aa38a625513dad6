"""What test_publishing.py publishes; run as a program, one publish that is killed at one of its steps."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

import pyarrow as pa

from jishi.arrow_tables import to_arrow
from jishi.lake.catalog import identifier, open_catalog
from jishi.lake.publishing import Replacement, publish
from jishi.lake.release import no_step
from jishi.lake.rows import Rows
from jishi.lake.versions import Versions
from jishi.settings import Settings
from jishi.tables import SILVER_ITEMS, SILVER_ORDERS, TableSchema

KEYS = {SILVER_ITEMS: "item_id", SILVER_ORDERS: "order_id"}


def settings_of(var: str) -> Settings:
    """A lake below a folder, with the embedded catalog."""
    return Settings(var=Path(var), _env_file=None)  # type: ignore[call-arg]


def rows(schema: TableSchema, shop_id: str, ids: list[str]) -> pa.Table:
    """Rows of one shop that have nothing but their key."""
    blank = dict.fromkeys(schema.columns)
    return to_arrow(schema, [blank | {"shop_id": shop_id, KEYS[schema]: each} for each in ids])


def publish_shop(settings: Settings, shop_id: str, mark: str, step: Callable[[str], None] = no_step) -> None:
    """One item and one order of a shop, both named by ``mark``, in place of what the shop had."""
    where = Rows.of(shop_id=[shop_id])
    publish(
        settings,
        f"test {shop_id} {mark}",
        lambda base: [Replacement(schema, where, rows(schema, shop_id, [mark])) for schema in KEYS],
        step=step,
    )


def seen(settings: Settings, schemas: Iterable[TableSchema] = tuple(KEYS)) -> list[list[str]]:
    """Sorted (table, shop, key) of the newest version."""
    version, catalog = Versions.of(settings).latest(), open_catalog(settings)
    assert version is not None
    keys = []
    for schema in schemas:
        scan = catalog.load_table(identifier(schema.name)).scan(snapshot_id=version.snapshot(schema.name))
        keys += [[schema.name, row["shop_id"], row[KEYS[schema]]] for row in scan.to_arrow().to_pylist()]
    return sorted(keys)


def main() -> None:
    """``VAR PLACE MARK``: publish shop ``a`` below VAR, and die at the PLACE-th step after naming it."""
    var, place, mark = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    steps = count()

    def step(name: str) -> None:
        if next(steps) == place:
            print(name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    publish_shop(settings_of(var), "a", mark, step)


if __name__ == "__main__":
    main()
