"""What was accepted and is not good: shop, reason, field, detail and raw line, from silver and the live tail of bronze."""

from __future__ import annotations

import threading
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
# One row an event of the live tail that is kept out; it counts until its day has been worked up.
_LIVE = """
select distinct on (collector_id, seq)
    shop_id, collector_id, seq, cast(null as varchar) as batch, outcome, coalesce(invalid_reason, outcome) as reason,
    coalesce(invalid_field, 'occurred_at') as field,
    coalesce(invalid_detail, 'occurred_at lies after the time at which the event was known') as detail, type, event_id,
    make_timestamp(received_at_ms * 1000) as received_at, line
from live
where (collector_id, seq) not in (select (collector_id, seq) from silver_quarantine)
    and (collector_id, seq) not in (
        select (collector_id, seq) from bronze_repairs
        where (shop_id, event_id, repaired_at) in (
            select (shop_id, event_id, repaired_at) from silver_events where repaired_at is not null
        ) or (collector_id, seq) in (select (collector_id, seq) from silver_duplicates)
    )
"""
_KEPT_OUT = """
create view kept_out as
select shop_id, collector_id, seq, batch, outcome, reason, field, detail, type, event_id, received_at, line
from silver_quarantine
union all
from live_kept_out;
create view quarantined as
select kept_out.*, mapping, repaired_at, case when mapping is null then 'open' else 'waiting' end as state
from kept_out left join (select collector_id, seq, mapping, repaired_at from bronze_repairs) using (collector_id, seq)
"""
_REPAIRED = f"""
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


@dataclass(frozen=True)
class ReadBounds:
    """What one reading may take: seconds, memory as DuckDB writes it (512MB), threads."""

    seconds: float
    memory: str
    threads: int


class ReadingStopped(TimeoutError):
    """A reading took more time or memory than its bounds."""


@contextmanager
def open_quarantine(
    settings: Settings,
    *,
    shop: str | None = None,
    newest: int | None = None,
    with_repaired: bool = True,
    bounds: ReadBounds | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake with one view more, ``quarantined``, whose columns are the fields of ``Quarantined``.

    ``shop`` and ``newest`` leave out of the live tail what is of another shop, or older than so many. ``with_repaired`` False
    leaves out those that were repaired, for which bronze has to be read. Raises ReadingStopped where there are ``bounds``.
    """
    from pyiceberg.expressions import And, EqualTo, In

    is_kept_out = In("outcome", [outcome.value for outcome in KEPT_OUT])  # type: ignore[call-arg]
    wanted = is_kept_out if shop is None else And(is_kept_out, EqualTo("shop_id", shop))  # type: ignore[call-arg]
    with open_lake(open_version(settings)) as lake, _within(lake, bounds):
        lake.register("live", LiveTail(settings).batches(_LIVE_COLUMNS, wanted))
        limit = "" if newest is None else f" order by received_at desc, collector_id, seq desc limit {int(newest)}"
        lake.execute(f"create temp table live_kept_out as from ({_LIVE}){limit}")
        lake.execute(_KEPT_OUT + (_REPAIRED if with_repaired else ""))
        yield lake


@contextmanager
def _within(lake: duckdb.DuckDBPyConnection, bounds: ReadBounds | None) -> Iterator[None]:
    import duckdb

    if bounds is None:
        yield
        return
    lake.execute(f"set memory_limit = '{bounds.memory}'")
    lake.execute(f"set threads = {bounds.threads}")
    timer = threading.Timer(bounds.seconds, lake.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
        raise ReadingStopped(f"reading the quarantine was stopped: {error}") from None
    finally:
        timer.cancel()


def refusals(settings: Settings, shop_id: str) -> list[tuple[int, str, str]]:
    """How many events of a shop wait in quarantine, by reason and field (empty where none is named), most first."""
    with open_quarantine(settings, shop=shop_id, with_repaired=False) as lake:
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
    bounds: ReadBounds | None = None,
) -> list[Quarantined]:
    """Quarantined events, newest first: of one shop or all, with one reason or any; ``limit`` None gives all.

    Raises ReadingStopped where there are ``bounds``.
    """
    names, with_repaired = ", ".join(Quarantined.__dataclass_fields__), "repaired" in states
    # Of the live tail the newest are enough, unless some of them may be left out afterwards.
    newest = limit if reason is None and not with_repaired and {"open", "waiting"} <= set(states) else None
    with open_quarantine(settings, shop=shop, newest=newest, with_repaired=with_repaired, bounds=bounds) as lake:
        rows = lake.execute(
            f"""
            select {names} from quarantined
            where (shop_id = $shop or $shop is null) and (reason = $reason or $reason is null) and list_contains($states, state)
            order by received_at desc, collector_id, seq desc limit coalesce($limit, 9223372036854775807)
            """,
            {"shop": shop, "reason": reason, "states": list(states), "limit": limit},
        ).fetchall()
    return [Quarantined(*row) for row in rows]
