"""One day of the stream's ``bronze.events`` → the bronze batch ``live-<date>`` until silver reads the table.

The outcome, which the stream decided, is only counted. The day is the UTC date of ``received_at``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from jishi.arrow_tables import to_arrow, write_parquet
from jishi.contract.fields import to_ms
from jishi.lake import Lake
from jishi.lake.live import LiveEvents
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import BRONZE_EVENTS


def land_live(settings: Settings, on: date) -> dict[str, Counter[str]]:
    """Publish the batch ``live-<on>`` of every shop that has events on that day; returns counts by shop and outcome.

    Reads all that the stream has committed, so a rerun gives the same batch, or a longer one when more has arrived. An
    acknowledgement that the forwarder sent again after midnight belongs to the day on which the log knew it first.
    """
    start = to_ms(datetime.combine(on, time(), tzinfo=UTC))
    end = start + int(timedelta(days=1).total_seconds()) * 1000
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    known_before: set[tuple[str, int]] = set()
    for row in LiveEvents(settings).rows().to_pylist():
        if start <= row["received_at_ms"] < end:
            rows[row["shop_id"]].append(row)
        elif row["received_at_ms"] < start:
            known_before.add(_name(row))
    rows = {shop_id: new for shop_id, of in rows.items() if (new := [row for row in of if _name(row) not in known_before])}
    if not rows:
        return {}
    outcomes = {shop_id: Counter(row.get("outcome") or "unknown" for row in of) for shop_id, of in rows.items()}
    partitions = {shop_id: f"shop={shop_id}/batch=live-{on.isoformat()}" for shop_id in sorted(rows)}
    with Lake(Paths.of(settings).lake).publish(BRONZE_EVENTS.name, replace=partitions.values()) as draft:
        for shop_id, partition in partitions.items():
            own = sorted(rows[shop_id], key=_position)
            complete = [{column: row.get(column) for column in BRONZE_EVENTS.columns} for row in own]
            write_parquet(to_arrow(BRONZE_EVENTS, complete), draft.path / partition / "events-00000.parquet")
    return {shop_id: outcomes[shop_id] for shop_id in partitions}


def _name(row: dict[str, Any]) -> tuple[str, int]:
    return (row["collector_id"], row["seq"])


def _position(row: dict[str, Any]) -> tuple[int, int, str, int]:
    return (_number(row.get("log_partition")), _number(row.get("log_offset")), row["collector_id"], row["seq"])


def _number(value: int | None) -> int:
    return -1 if value is None else value
