"""The collector's catalogue through restarts: a snapshot beside the write-ahead log, the log behind it, and the lake.

The snapshot's first line says up to which seq of the log it has seen everything; segments behind it are not deleted before.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from collector.catalogue import Known, ShopCatalogues
from collector.wal.durable import read_durable
from collector.wal.reader import first_position, read_entries
from collector.wal.segments import Position, WalCorrupt, segment_starts
from jishi.files import write_atomically
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.money import HOME_CURRENCY
from jishi.settings import Settings

if TYPE_CHECKING:
    from collector.intake import Intake

log = logging.getLogger(__name__)


def snapshot_file(folder: Path) -> Path:
    """Where the snapshot of a write-ahead log lies."""
    return folder / "catalogue.jsonl"


def save_snapshot(folder: Path, catalogue: ShopCatalogues, upto: int) -> None:
    """Write the catalogue, which has seen every event with a seq below ``upto``. Raises OSError."""
    lines = [orjson.dumps({"upto": upto}), *(orjson.dumps([shop, item, *known]) for shop, item, known in catalogue)]
    write_atomically(snapshot_file(folder), b"\n".join(lines).decode() + "\n")


async def keep_snapshot(intake: Intake, check_every_s: float = 5.0) -> None:
    """Save the catalogue of a running collector when it changed or a segment was sealed, and when it stops.

    Runs until it is cancelled. A disk that refuses costs only the deletion of old segments.
    """
    folder, saved = intake.wal.folder, (-1, -1)

    async def save() -> None:
        nonlocal saved
        stamp = (intake.catalogue.changes, intake.wal.end.segment)
        if stamp != saved:
            try:
                await asyncio.to_thread(save_snapshot, folder, intake.catalogue.copy(), intake.seen_upto)
            except OSError as error:
                log.error("%s: %s; written again when the disk takes it", snapshot_file(folder), error.strerror)
            else:
                saved = stamp

    try:
        while True:
            await save()
            await asyncio.sleep(check_every_s)
    finally:
        await save()


def snapshot_upto(folder: Path) -> int:
    """Up to which seq the snapshot has seen the log; 0 without one."""
    try:
        with snapshot_file(folder).open("rb") as file:
            return int(orjson.loads(file.readline())["upto"])
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError):
        return 0


def load_catalogue(folder: Path, settings: Settings) -> ShopCatalogues:
    """The catalogue as it was, from the lake's items, the snapshot and the log behind it."""
    catalogue = ShopCatalogues()
    _read_lake(catalogue, settings)
    upto = _read_snapshot(catalogue, folder)
    with suppress(WalCorrupt):  # the forwarder and the count of accepted events report the damage
        _read_log(catalogue, folder, upto, settings.future_tolerance_s * 1000)
    return catalogue


def _read_lake(catalogue: ShopCatalogues, settings: Settings) -> None:
    import duckdb

    sql = (
        "select shop_id, item_id, category, "
        "case when home_currency is null then unit_price_minor else home_unit_price_minor end, "
        "coalesce(epoch_ms(changed_at), 0), coalesce(home_currency, currency) from silver_items"
    )
    try:
        with open_lake(open_version(settings)) as connection:
            rows = connection.execute(sql).fetchall()
    except (OSError, duckdb.Error) as error:
        log.error("the lake's items cannot be read (%s): events are filled from live changes only", type(error).__name__)
        return
    for shop_id, item_id, category, price, at, currency in rows:
        catalogue.put(shop_id, item_id, Known(category, price, at, at, "", currency))


def _read_snapshot(catalogue: ShopCatalogues, folder: Path) -> int:
    try:
        head, *lines = snapshot_file(folder).read_bytes().splitlines()
        for line in lines:
            shop_id, item_id, *known = orjson.loads(line)
            catalogue.put(shop_id, item_id, Known(*known))
        return int(orjson.loads(head)["upto"])
    except FileNotFoundError:
        return 0
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        log.error("%s is damaged; the catalogue is made anew from the lake and the log", snapshot_file(folder))
        return 0


def _read_log(catalogue: ShopCatalogues, folder: Path, upto: int, tolerance_ms: int) -> None:
    """Changes behind the snapshot, but none that was dated ahead when it came."""
    durable = read_durable(folder) or Position()
    starts = [start for start in segment_starts(folder) if start <= upto]
    position = Position(starts[-1], 0, starts[-1]) if starts else first_position(folder)
    while entries := read_entries(folder, position, durable):
        for entry in entries:
            if b'"type":"item_changed"' in entry.body:
                record = orjson.loads(entry.body)
                if record["type"] == "item_changed" and record["invalid_reason"] is None:
                    at_ms, properties = record["occurred_at_ms"], orjson.loads(record["line"])["properties"]
                    if at_ms <= record["collected_at_ms"] + tolerance_ms:
                        names = record["shop_id"], record["event_id"]
                        currency = properties.get(HOME_CURRENCY) or properties["currency"]
                        catalogue.note(*names, properties, at_ms, record["unit_price_minor"], currency)
        position = entries[-1].after
