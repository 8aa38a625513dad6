"""What the tests of publishes publish, and processes that are killed at one of its steps.

A server that has imported what a publish needs (pyiceberg alone takes seconds) forks each of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from imports.history import land_history
from jishi.arrow_tables import to_arrow
from jishi.lake.catalog import identifier, open_catalog
from jishi.lake.publishing import Replacement, publish
from jishi.lake.reading import open_version
from jishi.lake.release import no_step
from jishi.lake.rows import Rows
from jishi.lake.versions import Versions
from jishi.landing import ShopFacts, write_landing
from jishi.marts import EXPORTED
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import CUSTOMER_THRESHOLDS, SILVER_ITEMS, SILVER_ORDERS, TableSchema
from ops.marts_file import PUBLISHED, publish_marts

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


def run_killed(work: Callable[..., None], *arguments: Any) -> int:
    """Call ``work`` in a process of its own; returns its exit code, -9 when it was killed."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work, args=arguments)
    process.start()
    process.join(120)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode


def publish_and_die(var: str, place: int, mark: str, note: Path) -> None:
    """Publish shop ``a`` and die at the ``place``-th step, after writing its name to ``note``."""
    steps = count()

    def step(name: str) -> None:
        if next(steps) == place:
            note.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)

    publish_shop(settings_of(var), "a", mark, step)


def die_at(place: int, work: Callable[..., None], *arguments: Any) -> None:
    """Call ``work`` and die before its ``place``-th sync of a file, move of a file, or commit of records."""
    steps = count()

    def dying(operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if next(steps) == place:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*given, **named)

        return call

    os.fsync, os.replace = dying(os.fsync), dying(os.replace)
    Versions.begin, Versions.commit = dying(Versions.begin), dying(Versions.commit)  # type: ignore[method-assign]
    work(*arguments)


def import_history(var: str, shop_id: str, views: int) -> None:
    """A shop's history of so many views, from landing files to bronze and the registry."""
    settings = settings_of(var)
    facts = ShopFacts(name=f"{views} views", time_zone="UTC", currency="CNY")
    common = {"shop_id": shop_id, "type": "item_viewed", "occurred_at": "2026-09-01T10:00:00Z", "user_id": "u"}
    lines = [common | {"event_id": f"e{n}", "properties": {"item_id": "i"}} for n in range(views)]
    with write_landing(Paths.of(settings).history, shop_id, facts, "test") as writer:
        writer.write(orjson.dumps(line) for line in lines)
    land_history(settings, [shop_id], processes=1)


def dbt_database(folder: Path, number: int) -> Path:
    """A finished build of dbt, as far as publishing looks at it: every model says ``number``."""
    file = folder / f"build-{number}.duckdb"
    with duckdb.connect(str(file)) as connection:
        for name in (*PUBLISHED, *EXPORTED):
            connection.execute(f"create or replace table {name} as select 'a' as shop_id, {number}::bigint as orders_30d")
        connection.execute("drop table dim_customer_thresholds")
        connection.from_arrow(rows(CUSTOMER_THRESHOLDS, "a", [])).create("dim_customer_thresholds")
    return file


def publish_build(var: str, number: int) -> None:
    """Publish the marts and daily features of ``dbt_database``."""
    settings = settings_of(var)
    publish_marts(settings, open_version(settings), dbt_database(settings.var, number))
