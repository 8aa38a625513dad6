"""What was accepted and is not good: shop, reason, field, detail and the raw line, from silver and from the live archive."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from jishi.fates import Fate
from jishi.lake import Lake
from jishi.lake_query import open_lake
from jishi.paths import Paths
from jishi.settings import get_settings

_NOT_GOOD = f"('{Fate.INVALID.value}', '{Fate.FUTURE.value}')"
_LIVE_COLUMNS = {
    "collector_id": "VARCHAR",
    "seq": "BIGINT",
    "shop_id": "VARCHAR",
    "type": "VARCHAR",
    "received_at_ms": "BIGINT",
    "invalid_reason": "VARCHAR",
    "invalid_field": "VARCHAR",
    "invalid_detail": "VARCHAR",
    "fate": "VARCHAR",
    "line": "VARCHAR",
}


@dataclass(frozen=True)
class Quarantined:
    """One accepted event that is kept out of the good stream; ``is_live`` while its day has not been worked up."""

    shop_id: str
    fate: str
    reason: str
    field: str
    detail: str
    type: str | None
    received_at: datetime
    line: str
    is_live: bool


def list_quarantined(paths: Paths, shop: str | None, limit: int) -> list[Quarantined]:
    """The newest quarantined events, of one shop or all; what silver has already is not listed again from the archive."""
    files = [
        str(file)
        for file in sorted(paths.live.rglob("*"))
        if file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(paths.live).parts)
    ]
    with open_lake(Lake(paths.lake)) as lake:
        if files:
            archive = lake.read_json(files, columns=_LIVE_COLUMNS, format="newline_delimited")  # type: ignore[arg-type]
            archive.create_view("archive")
        else:
            columns = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in _LIVE_COLUMNS.items())
            lake.execute(f"create view archive as select * from (select {columns}) where false")
        rows = lake.execute(
            f"""
            select shop_id, fate, reason, field, detail, type, received_at, line, false as is_live from silver_quarantine
            where shop_id = $shop or $shop is null
            union all
            select distinct on (collector_id, seq)
                shop_id, fate, coalesce(invalid_reason, fate), coalesce(invalid_field, 'occurred_at'),
                coalesce(invalid_detail, 'occurred_at lies after the time at which the event was known'), type,
                make_timestamp(received_at_ms * 1000), line, true
            from archive
            where fate in {_NOT_GOOD} and (shop_id = $shop or $shop is null)
                and (collector_id, seq) not in (select (collector_id, seq) from silver_quarantine)
            order by received_at desc limit $limit
            """,
            {"shop": shop, "limit": limit},
        ).fetchall()
    return [Quarantined(*row) for row in rows]


def run_list(*, shop: str | None, limit: int, as_json: bool) -> int:
    """Print quarantined events as a table, or whole as JSON."""
    from rich.console import Console
    from rich.table import Table

    found = list_quarantined(Paths.of(get_settings()), shop, limit)
    if as_json:
        print(json.dumps([asdict(row) for row in found], indent=2, ensure_ascii=False, default=str))
        return 0
    table = Table(title=f"{len(found)} quarantined events, newest first", title_justify="left")
    for heading in ("shop", "known at (UTC)", "fate", "reason", "field", "what is wrong", "raw line"):
        table.add_column(heading, overflow="fold")
    for row in found:
        shown = row.line if len(row.line) <= 120 else row.line[:117] + "…"
        when = f"{row.received_at:%Y-%m-%d %H:%M:%S}" + (" live" if row.is_live else "")
        table.add_row(row.shop_id, when, row.fate, row.reason, row.field or "", row.detail or "", shown)
    Console().print(table)
    return 0
