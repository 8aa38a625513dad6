"""What was accepted and is not good: shop, reason, field, detail and raw line, from silver and the live tail of bronze."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from jishi.lake.live import LiveTail
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.outcomes import CLAIM, KEPT_OUT, Outcome
from jishi.settings import Settings

if TYPE_CHECKING:
    import duckdb

State = Literal["open", "waiting", "repaired"]

_LIVE_COLUMNS = (
    *("collector_id", "seq", "shop_id", "type", "event_id", "received_at_ms"),
    *("invalid_reason", "invalid_field", "invalid_detail", "outcome", "line"),
)
# One row an event that is, or was, kept out. An event of the live tail counts until its day has been worked up.
_QUARANTINE = f"""
create view kept_out as
select shop_id, collector_id, seq, batch, outcome, reason, field, detail, type, event_id, received_at, line
from silver_quarantine
union all
select distinct on (collector_id, seq)
    shop_id, collector_id, seq, null, outcome, coalesce(invalid_reason, outcome), coalesce(invalid_field, 'occurred_at'),
    coalesce(invalid_detail, 'occurred_at lies after the time at which the event was known'), type, event_id,
    make_timestamp(received_at_ms * 1000), line
from live
where (collector_id, seq) not in (select (collector_id, seq) from silver_quarantine)
    and (collector_id, seq) not in (
        select (collector_id, seq) from bronze_repairs
        where (shop_id, event_id, repaired_at) in (
            select (shop_id, event_id, repaired_at) from silver_events where repaired_at is not null
        ) or (collector_id, seq) in (select (collector_id, seq) from silver_duplicates)
    );
create view quarantined as
select kept_out.*, mapping, repaired_at, case when mapping is null then 'open' else 'waiting' end as state
from kept_out left join (select collector_id, seq, mapping, repaired_at from bronze_repairs) using (collector_id, seq)
union all
select
    came.shop_id, came.collector_id, came.seq, null,
    case
        when came.invalid_reason is null then '{Outcome.FUTURE.value}'
        when came.invalid_reason = '{CLAIM}' then '{Outcome.CLAIM.value}'
        else '{Outcome.INVALID.value}'
    end,
    made.original_reason, made.original_field, came.invalid_detail, came.type, came.event_id,
    make_timestamp(came.received_at_ms * 1000), came.line, made.mapping, made.repaired_at, 'repaired'
from bronze_repairs as made join bronze_all as came using (collector_id, seq)
where (collector_id, seq) not in (select (collector_id, seq) from kept_out)
"""


@dataclass(frozen=True)
class Quarantined:
    """One accepted event that is, or was, kept out of the good stream.

    ``batch`` is its bronze batch, None while it only lies in the live tail (and for a repaired one). ``state`` is ``open``,
    ``waiting`` when a mapping has repaired it and the batch was not built anew yet, else ``repaired``.
    """

    shop_id: str
    collector_id: str
    seq: int
    batch: str | None
    outcome: str
    reason: str
    field: str | None
    detail: str | None
    type: str | None
    event_id: str | None
    received_at: datetime
    line: str
    mapping: str | None
    repaired_at: datetime | None
    state: State

    @property
    def identity(self) -> str:
        """Names the acknowledgement: ``collector_id#seq``."""
        return f"{self.collector_id}#{self.seq}"


@contextmanager
def open_quarantine(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake with one view more, ``quarantined``, whose columns are the fields of ``Quarantined``."""
    live = LiveTail(settings)
    kept_out = f"outcome in {tuple(outcome.value for outcome in KEPT_OUT)}"
    with open_lake(open_version(settings)) as lake:
        lake.register("live", live.rows(_LIVE_COLUMNS, where=kept_out))
        lake.execute(_QUARANTINE)
        yield lake


def refusals(settings: Settings, shop_id: str) -> list[tuple[int, str, str]]:
    """How many events of a shop wait in quarantine, by reason and field (empty where none is named), most first."""
    with open_quarantine(settings) as lake:
        return lake.execute(
            "select count(*), reason, coalesce(field, '') from quarantined "
            "where shop_id = $shop and state in ('open', 'waiting') group by 2, 3 order by 1 desc, 2, 3",
            {"shop": shop_id},
        ).fetchall()


def quarantined(
    settings: Settings,
    *,
    shop: str | None = None,
    reason: str | None = None,
    states: tuple[State, ...] = ("open", "waiting"),
    limit: int | None = None,
) -> list[Quarantined]:
    """Quarantined events, newest first: of one shop or all, with one reason or any; ``limit`` None gives all."""
    names = ", ".join(Quarantined.__dataclass_fields__)
    with open_quarantine(settings) as lake:
        rows = lake.execute(
            f"""
            select {names} from quarantined
            where (shop_id = $shop or $shop is null) and (reason = $reason or $reason is null) and list_contains($states, state)
            order by received_at desc, collector_id, seq desc limit coalesce($limit, 9223372036854775807)
            """,
            {"shop": shop, "reason": reason, "states": list(states), "limit": limit},
        ).fetchall()
    return [Quarantined(*row) for row in rows]
