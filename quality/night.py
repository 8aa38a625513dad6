"""The nightly reconciliation of a day, by ids: every acknowledgement of the day is in bronze, what is in bronze in silver.

A collector numbers its acknowledgements without a gap, so what is missing has a name: ``(collector_id, seq)``. This collector's
write-ahead log says how far each day reaches and counts it by shop; of collectors whose log is elsewhere, gaps between the
numbers of the day are named. Only the day's partitions are read, with one day on each side: the log may know an event on
the other side of midnight. Days are UTC dates, of the collector's clock for what was acknowledged and of the log's for silver.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jishi import tables
from jishi.lake.live import LiveTail, rows_at
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shops
from quality.reconcile import CountFailed

if TYPE_CHECKING:
    import duckdb

SHOWN = 20  # entries of a gap that are named one by one
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class ShopDay:
    """One shop's day: acknowledged by this collector, and those of them that bronze has."""

    shop_id: str
    acknowledged: int
    bronze: int


@dataclass(frozen=True)
class Missing:
    """Acknowledgements ``first_seq`` to ``next_seq`` − 1 of a collector that are not where they belong, and why it may be.

    ``names`` are ``shop/event_id`` of the first of them, as far as they are known.
    """

    collector_id: str
    first_seq: int
    next_seq: int
    where: str
    names: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many."""
        return self.next_seq - self.first_seq

    def __str__(self) -> str:
        span = f"{self.first_seq}" if self.count == 1 else f"{self.first_seq} to {self.next_seq - 1}"
        named = f" ({', '.join(self.names)}{', …' if self.count > len(self.names) else ''})" if self.names else ""
        return f"{self.collector_id} seq {span}{named}: {self.where}"


@dataclass
class Night:
    """What was found of one day."""

    day: date
    shops: list[ShopDay] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every acknowledgement of the day is accounted for."""
        return not self.missing and all(shop.acknowledged == shop.bronze for shop in self.shops)


def reconcile_night(settings: Settings, day: date, shop_ids: Collection[str] = ()) -> Night:
    """Compare one day; silver only of ``shop_ids`` (when empty, of every shop that is not paused and has not left), as the day
    of other shops need not be built yet.

    Raises CountFailed when the collector cannot say what it acknowledged.
    """
    import duckdb

    acknowledged = _collector(settings, "acknowledged", "--json")
    night = Night(day)
    with duckdb.connect() as connection:
        _load_bronze(connection, settings, day)
        local_id = acknowledged.get("collector_id")
        if local_id is not None:
            night.missing += _missing_of_this_collector(connection, settings, acknowledged, day)
            of_day = acknowledged["days"].get(day.isoformat(), {"shops": {}})["shops"]
            there = _by_shop(connection, local_id, day)
            shown = [shop for shop in sorted({*of_day, *there}) if not shop_ids or shop in shop_ids]
            night.shops = [ShopDay(shop, of_day.get(shop, 0), there.get(shop, 0)) for shop in shown]
        for other in _others(connection, local_id, day):
            night.missing += [
                Missing(other, first, following, "not in bronze")
                for first, following in _gaps(connection, other, *_span(connection, other, day))
            ]
        night.missing += _not_in_silver(connection, settings, day, shop_ids)
    return night


def _collector(settings: Settings, *arguments: str) -> Any:
    paths = Paths.of(settings)
    if not paths.wal.exists():
        return {}
    command = [str(paths.python("main")), "-m", "collector", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    if done.returncode != 0:
        raise CountFailed(f"the collector could not count its write-ahead log: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def _load_bronze(connection: duckdb.DuckDBPyConnection, settings: Settings, day: date) -> None:
    """Table ``seen``: each acknowledgement of the day and its neighbours, on the day on which the log knew it first."""
    columns = ("collector_id", "seq", "shop_id", "event_id", "collected_at_ms", "received_at")
    _load(connection, "found", LiveTail(settings).batches(columns, _received(day - timedelta(days=1), day + timedelta(days=2))))
    connection.execute(
        "create table seen as select collector_id, seq, any_value(shop_id) as shop_id, any_value(event_id) as event_id, "
        "any_value(collected_at_ms) as collected_at_ms, min(received_at)::date as known_on from found group by 1, 2"
    )


def _load(connection: duckdb.DuckDBPyConnection, name: str, batches: Any) -> None:
    connection.register("incoming", batches)
    connection.execute(f"create table {name} as select * from incoming")
    connection.unregister("incoming")


def _received(start: date, end: date) -> str:
    return f"received_at >= '{start.isoformat()}T00:00:00' and received_at < '{end.isoformat()}T00:00:00'"


def _missing_of_this_collector(
    connection: duckdb.DuckDBPyConnection, settings: Settings, acknowledged: dict[str, Any], day: date
) -> Iterator[Missing]:
    days = {date.fromisoformat(name): counts for name, counts in acknowledged["days"].items()}
    if day not in days:
        return
    before = max((counts["upto"] for other, counts in days.items() if other < day), default=days[day]["first"])
    gaps = _gaps(connection, acknowledged["collector_id"], min(before, days[day]["first"]), days[day]["upto"])
    damaged = [(note["first_seq"], note["next_seq"]) for note in acknowledged["damaged"]]
    pieces = [piece for gap in gaps for piece in _cut(gap, damaged)]
    wanted = [seq for first, following, is_damaged in pieces if not is_damaged for seq in range(first, following)][:SHOWN]
    named = _collector(settings, "find", "--json", *map(str, wanted)) if wanted else {}
    for first, following, is_damaged in pieces:
        names = tuple(named[str(seq)] for seq in range(first, following) if str(seq) in named)
        where = "damaged in the write-ahead log, what is left of it lies in damaged-*.bin" if is_damaged else "not in bronze"
        yield Missing(acknowledged["collector_id"], first, following, where, names)


def _cut(gap: tuple[int, int], damaged: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    """A gap in pieces: ``(first, following, is_damaged)``."""
    first, following = gap
    for begin, end in sorted(damaged):
        begin, end = max(begin, first), min(end, following)
        if begin >= end:
            continue
        if first < begin:
            yield first, begin, False
        yield begin, end, True
        first = end
    if first < following:
        yield first, following, False


def _gaps(connection: duckdb.DuckDBPyConnection, collector_id: str, first: int, following: int) -> list[tuple[int, int]]:
    """Numbers between ``first`` and ``following`` that bronze does not have, as half-open spans."""
    return connection.execute(
        "with numbers as (select seq from seen where collector_id = $id and seq >= $first and seq < $following "
        "union all select $first - 1 union all select $following), "
        "pairs as (select seq, lead(seq) over (order by seq) as next_seq from numbers) "
        "select seq + 1, next_seq from pairs where next_seq > seq + 1 order by 1",
        {"id": collector_id, "first": first, "following": following},
    ).fetchall()


def _by_shop(connection: duckdb.DuckDBPyConnection, collector_id: str, day: date) -> dict[str, int]:
    start_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    sql = (
        "select shop_id, count(*) from seen where collector_id = ? and collected_at_ms >= ? and collected_at_ms < ? group by 1"
    )
    return dict(connection.execute(sql, [collector_id, start_ms, start_ms + _DAY_MS]).fetchall())


def _others(connection: duckdb.DuckDBPyConnection, local_id: str | None, day: date) -> list[str]:
    sql = "select distinct collector_id from seen where known_on = ? and collector_id is distinct from ? order by 1"
    return [collector_id for (collector_id,) in connection.execute(sql, [day, local_id]).fetchall()]


def _span(connection: duckdb.DuckDBPyConnection, collector_id: str, day: date) -> tuple[int, int]:
    """The numbers of a day, from behind those of the day before."""
    sql = (
        "select coalesce(max(seq) filter (known_on < $day) + 1, min(seq) filter (known_on = $day)), "
        "max(seq) filter (known_on = $day) + 1 from seen where collector_id = $id"
    )
    [row] = connection.execute(sql, {"id": collector_id, "day": day}).fetchall()
    return int(row[0]), int(row[1])


def _not_in_silver(
    connection: duckdb.DuckDBPyConnection, settings: Settings, day: date, shop_ids: Collection[str]
) -> list[Missing]:
    """What bronze got on the day and no table of silver has."""
    version, of_batch = open_version(settings), f"batch = 'live-{day}'"
    for schema, key in (
        (tables.SILVER_EVENTS, ("shop_id", "event_id")),
        (tables.SILVER_DUPLICATES, tables.SILVER_DUPLICATES.key),
        (tables.SILVER_QUARANTINE, tables.SILVER_QUARANTINE.key),
    ):
        _load(connection, schema.name.replace("/", "_"), rows_at(version, schema, key, of_batch))
    absent = connection.execute(
        "select collector_id, seq, shop_id, coalesce(event_id, '') from seen where known_on = ? "
        "and (collector_id, seq) not in (select (collector_id, seq) from silver_duplicates) "
        "and (collector_id, seq) not in (select (collector_id, seq) from silver_quarantine) "
        "and (shop_id, event_id) not in (select (shop_id, event_id) from silver_events) order by 1, 2",
        [day],
    ).fetchall()
    idle = Shops.load(Paths.of(settings).shops_file).idle
    absent = [row for row in absent if (row[2] in shop_ids if shop_ids else row[2] not in idle)]
    known_before = _known_before(settings, day, absent)
    return list(_spans(row for row in absent if (row[0], row[1]) not in known_before))


def _known_before(settings: Settings, day: date, absent: list[tuple[str, int, str, str]]) -> set[tuple[str, int]]:
    """Those that the log knew on an earlier day already: copies, which count there."""
    if not absent:
        return set()
    before = f"received_at < '{day.isoformat()}T00:00:00' and seq >= {min(row[1] for row in absent)}"
    wanted = {(row[0], row[1]) for row in absent}
    known: set[tuple[str, int]] = set()
    for batch in LiveTail(settings).batches(("collector_id", "seq"), before):
        pairs = zip(batch["collector_id"].to_pylist(), batch["seq"].to_pylist(), strict=True)
        known |= wanted.intersection(pairs)
    return known


def _spans(rows: Iterable[tuple[str, int, str, str]]) -> Iterator[Missing]:
    span: list[tuple[str, int, str, str]] = []
    for row in rows:
        if span and (row[0], row[1]) != (span[-1][0], span[-1][1] + 1):
            yield _of_span(span)
            span = []
        span.append(row)
    if span:
        yield _of_span(span)


def _of_span(span: list[tuple[str, int, str, str]]) -> Missing:
    names = tuple(f"{shop_id}/{event_id}" for _, _, shop_id, event_id in span[:SHOWN])
    return Missing(span[0][0], span[0][1], span[-1][1] + 1, "in bronze and in no table of silver", names)


def run_reconcile_night(settings: Settings, day: date, shop_ids: Collection[str] = (), *, as_json: bool) -> int:
    """Print what was found; exit code 1 when something is missing."""
    night = reconcile_night(settings, day, shop_ids)
    if as_json:
        shops = {shop.shop_id: {"acknowledged": shop.acknowledged, "bronze": shop.bronze} for shop in night.shops}
        missing = [{**vars(each), "names": list(each.names)} for each in night.missing]
        print(json.dumps({"date": day.isoformat(), "shops": shops, "missing": missing}, indent=2, ensure_ascii=False))
        return 0 if night.is_complete else 1
    for shop in night.shops:
        print(f"{day} {shop.shop_id:24} {shop.acknowledged:>12,} acknowledged {shop.bronze:>12,} in bronze")
    for each in night.missing:
        print(f"missing: {each}")
    print(f"{day}: {'every acknowledgement is accounted for' if night.is_complete else 'not everything is accounted for'}")
    return 0 if night.is_complete else 1
