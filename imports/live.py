"""The stream job's bronze archive of one day → the bronze batch ``live-<date>``.

The archive holds JSON lines of ``jishi.tables.BRONZE_EVENTS`` and ``outcome``, which the stream decided. The outcome stays out
of bronze, where every event lies whatever became of it, and is only counted. The day is the UTC date of ``received_at``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson

from jishi.arrow_tables import to_arrow, write_parquet
from jishi.contract.fields import to_ms
from jishi.lake import Lake
from jishi.landing import LandingError
from jishi.paths import Paths
from jishi.tables import BRONZE_EVENTS

_REQUIRED = ("collector_id", "seq", "shop_id", "received_at_ms", "line")


def land_live(paths: Paths, on: date) -> dict[str, Counter[str]]:
    """Publish the batch ``live-<on>`` of every shop that has events on that day; returns counts by shop and outcome.

    Reads every committed file of the archive, so a rerun gives the same batch, or a longer one when more has arrived. An
    acknowledgement that the forwarder sent again after midnight belongs to the day on which the log knew it first.
    """
    start = to_ms(datetime.combine(on, time(), tzinfo=UTC))
    end = start + int(timedelta(days=1).total_seconds()) * 1000
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    known_before: set[tuple[str, int]] = set()
    for row in archived_rows(paths.live):
        if start <= row["received_at_ms"] < end:
            rows[row["shop_id"]].append(row)
        elif row["received_at_ms"] < start:
            known_before.add(_name(row))
    rows = {
        shop_id: new
        for shop_id, shop_rows in rows.items()
        if (new := [row for row in shop_rows if _name(row) not in known_before])
    }
    if not rows:
        return {}
    outcomes = {shop_id: Counter(row.get("outcome") or "unknown" for row in shop_rows) for shop_id, shop_rows in rows.items()}
    partitions = {shop_id: f"shop={shop_id}/batch=live-{on.isoformat()}" for shop_id in sorted(rows)}
    with Lake(paths.lake).publish(BRONZE_EVENTS.name, replace=partitions.values()) as draft:
        for shop_id, partition in partitions.items():
            landed = sorted(rows[shop_id], key=_position)
            complete = [{column: row.get(column) for column in BRONZE_EVENTS.columns} for row in landed]
            write_parquet(to_arrow(BRONZE_EVENTS, complete), draft.path / partition / "events-00000.parquet")
    return {shop_id: outcomes[shop_id] for shop_id in partitions}


def archived_rows(root: Path) -> Iterator[dict[str, Any]]:
    """Rows of all committed files below ``root``, by file name. Hidden and ``_`` names are in progress and left alone."""
    for file in sorted(p for p in root.rglob("*") if p.is_file()):
        if any(part.startswith((".", "_")) for part in file.relative_to(root).parts):
            continue
        with file.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise LandingError(
                        f"{file}, line {number}: not JSON ({error}); the stream job's archive is damaged"
                    ) from None
                missing = [name for name in _REQUIRED if not isinstance(row, dict) or row.get(name) is None]
                if missing:
                    raise LandingError(f"{file}, line {number}: has no {missing[0]!r}; it is not a row of the bronze archive")
                yield row


def _name(row: dict[str, Any]) -> tuple[str, int]:
    return (row["collector_id"], row["seq"])


def _position(row: dict[str, Any]) -> tuple[int, int, str, int]:
    return (_number(row.get("log_partition")), _number(row.get("log_offset")), row["collector_id"], row["seq"])


def _number(value: int | None) -> int:
    return -1 if value is None else value
