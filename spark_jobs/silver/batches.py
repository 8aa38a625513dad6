"""Which batches of which shops bronze and silver hold, asked of the columns of their files alone (DuckDB)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from jishi.lake.plans import plan_of
from jishi.lake.rows import Rows
from jishi.lake.versions import Versions
from jishi.settings import Settings
from jishi.tables import (
    BRONZE_EVENTS,
    BRONZE_HISTORY,
    BRONZE_LIVE,
    SILVER_DUPLICATES,
    SILVER_EVENTS,
    SILVER_QUARANTINE,
    TableSchema,
)
from spark_jobs.audits import opened
from spark_jobs.publication import Publication
from spark_jobs.silver.bronze import HISTORY, source_of

# Every accepted event is in one of these.
_DECIDED = (SILVER_EVENTS, SILVER_DUPLICATES, SILVER_QUARANTINE)
# The event log keeps its events for seven days (jishi.topics): of an older day nothing can come any more.
UNFINISHED_DAYS = 8
_LIVE_BATCH = "'live-' || cast(received_at as date)"


# So much of bronze (some 600,000 events) is worked up before Java's optimising compiler has paid for itself; a day beside so
# much history, of which it reads a few columns.
SHORT_BYTES = 40 * 2**20
SHORT_BESIDE_BYTES = 10 * SHORT_BYTES


class BatchMissing(LookupError):
    """Bronze has no such batch of any shop; the message says where it would come from."""


def batch_order(batch: str) -> tuple[int, str]:
    """Sort key of batches: history is before every live day, and live days follow their dates."""
    return (0, "") if batch == HISTORY else (1, batch)


def is_short(settings: Settings, batch: str) -> bool:
    """Whether the lake holds so little history that a run ends before Java's optimising compiler has paid for itself."""
    version = Versions.of(settings).latest()
    if version is None or BRONZE_HISTORY.name not in version.snapshots:
        return True
    plan = plan_of(settings, BRONZE_HISTORY.name, version.snapshot(BRONZE_HISTORY.name))
    return sum(file.bytes for file in plan.files) <= (SHORT_BYTES if batch == HISTORY else SHORT_BESIDE_BYTES)


def shops_of_batch(publication: Publication, batch: str, wanted: list[str]) -> list[str]:
    """Shops of which bronze has the batch, and those of which silver has it though bronze does not any more; of the wanted ones
    where some are named. Raises BatchMissing for a history that nobody has.
    """
    there = _shops_in_bronze(publication, batch, wanted)
    there |= {shop for shop, built in built_batches(publication, wanted).items() if batch in built}
    if not there and not wanted and batch == HISTORY:
        raise BatchMissing("bronze has no history of any shop; import some first: python -m imports history")
    return sorted(there)


def built_batches(publication: Publication, shops: list[str]) -> dict[str, set[str]]:
    """Batches that silver holds, by shop; of all shops when none is named."""
    where = Rows.of(shop_id=shops) if shops else Rows.all()
    built: dict[str, set[str]] = {}
    for schema in _DECIDED:
        for shop, batch in _distinct(publication, schema, where, "shop_id, batch"):
            built.setdefault(shop, set()).add(batch)
    return built


def batches_between(publication: Publication, first: str, last: str, wanted: list[str]) -> dict[str, list[str]]:
    """Live days from ``first`` to ``last`` that bronze has, or silver though bronze has no more, with the shops of each."""
    _, first_day = source_of(first, wanted)
    _, last_day = source_of(last, wanted)
    assert first_day.between is not None
    assert last_day.between is not None
    between = ("received_at", first_day.between[1], last_day.between[2])
    where = Rows(first_day.values if wanted else (), between)
    days = set(_distinct(publication, BRONZE_LIVE, where, f"shop_id, {_LIVE_BATCH}"))
    for shop, built in built_batches(publication, wanted).items():
        days |= {(shop, name) for name in built if batch_order(first) <= batch_order(name) <= batch_order(last)}
    return _in_order(days)


def unfinished_batches(publication: Publication, batch: str, wanted: list[str]) -> dict[str, list[str]]:
    """Live days before this batch of which bronze has another number of acknowledgements than silver, with the shops of each.

    That is a day that was worked up before all of it had come, or that no run has worked up. An acknowledgement counts on the
    day that knew it first. Of the wanted shops where some are named.
    """
    if batch == HISTORY:
        return {}
    end = datetime.fromisoformat(batch.removeprefix("live-")).replace(tzinfo=UTC)
    start = end - timedelta(days=UNFINISHED_DAYS)
    of_shops = (("shop_id", tuple(wanted)),) if wanted else ()
    decided: Counter[tuple[str, ...]] = Counter()
    for schema in _DECIDED:
        with opened(publication, {"rows": (schema, Rows(of_shops))}) as connection:
            counted = connection.execute("select shop_id, batch, count(*) from rows where batch like 'live-%' group by all")
            decided.update({(shop, name): count for shop, name, count in counted.fetchall()})
    with opened(publication, {"rows": (BRONZE_LIVE, Rows(of_shops, between=("received_at", start, end)))}) as connection:
        copies = connection.execute(f"select shop_id, {_LIVE_BATCH}, count(*) from rows group by all").fetchall()
        # Where the log knows nothing twice, rows are acknowledgements; only of other days they have to be told apart.
        unequal = sorted({shop for shop, name, count in copies if decided[shop, name] != count})
        if not unequal:
            return {}
        first_known = (
            f"select shop_id, {', '.join(BRONZE_EVENTS.key)}, min(received_at) as received_at from rows "
            "where shop_id in (select unnest(?)) group by all"
        )
        sql = f"select shop_id, {_LIVE_BATCH}, count(*) from ({first_known}) group by all"
        acknowledged = connection.execute(sql, [unequal]).fetchall()
    return _in_order((shop, name) for shop, name, count in acknowledged if decided[shop, name] != count)


def later_batches(publication: Publication, first: Mapping[str, str]) -> dict[str, list[str]]:
    """Batches after each shop's ``first`` that silver holds already and bronze can give again, in order, with their shops."""
    shops = sorted(first)
    built = built_batches(publication, shops)
    days = [(shop, other) for shop in shops for other in built.get(shop, ()) if batch_order(other) > batch_order(first[shop])]
    if not days:
        return {}
    there = set(_distinct(publication, BRONZE_LIVE, Rows.of(shop_id=shops), f"shop_id, {_LIVE_BATCH}"))
    return _in_order(day for day in days if day in there)


def _in_order(days: Iterable[tuple[str, ...]]) -> dict[str, list[str]]:
    """Pairs of shop and batch by batch."""
    by_batch: dict[str, list[str]] = {}
    for shop, batch in sorted(days):
        by_batch.setdefault(batch, []).append(shop)
    return dict(sorted(by_batch.items(), key=lambda entry: batch_order(entry[0])))


def _shops_in_bronze(publication: Publication, batch: str, wanted: list[str]) -> set[str]:
    schema, where = source_of(batch, wanted)
    if not wanted:
        where = Rows(between=where.between)
    return {shop for (shop,) in _distinct(publication, schema, where, "shop_id")}


def _distinct(publication: Publication, schema: TableSchema, where: Rows, columns: str) -> list[tuple[str, ...]]:
    with opened(publication, {"rows": (schema, where)}) as connection:
        return connection.execute(f"select distinct {columns} from rows").fetchall()
