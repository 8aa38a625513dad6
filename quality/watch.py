"""What is wrong with the platform's data right now: the stream, the last hour of bronze, the days that should be worked up.

Each problem has a name that stays the same while the problem does, and says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from jishi.held_back import all_held_back
from jishi.lake.live import LiveTail
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.versions import Versions
from jishi.outcomes import Outcome
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from quality.archive import LogUnreachable, archive_of
from quality.parity.waiting import DUE_AFTER, end_of, waiting_date

if TYPE_CHECKING:
    import duckdb

WINDOW = timedelta(hours=1)
# Partitions of the log are read side by side: at its edges a window lacks what lies in another one.
EDGE = timedelta(minutes=5)
WORKED_UP_AFTER = timedelta(hours=9)
_SILVER = "spark_jobs silver"  # who builds it; compaction moves rows only
LEAST_EVENTS = 100  # of so few a share says little
CHECKS = ("log", "lag", "gaps", "quarantine", "freshness", "held", "marts", "parity")


@dataclass(frozen=True)
class Problem:
    """``name`` is the same as long as the problem is and begins with its check; ``says`` is what was found and what to do."""

    name: str
    says: str

    @property
    def check(self) -> str:
        """The check that found it, of ``CHECKS``; unlike the name it tells no shop."""
        return self.name.partition(".")[0]


def problems(settings: Settings, now: datetime) -> list[Problem]:
    """All of them, of data up to ``now`` (UTC); empty when everything is as it should be."""
    checks: tuple[Callable[[Settings, datetime], Iterator[Problem]], ...] = (
        _lag,
        _in_bronze,
        _freshness,
        _held_back,
        _marts,
        _parity,
    )
    return [problem for check in checks for problem in check(settings, now)]


def _lag(settings: Settings, now: datetime) -> Iterator[Problem]:
    """Events that the log has known longer than ``watch_lag_s`` and bronze has not."""
    try:
        archives = archive_of(settings, now - timedelta(seconds=settings.watch_lag_s))
    except LogUnreachable as error:
        yield Problem("log", f"{error}; see jishi status and var/log/kafka.log")
        return
    behind = [each.missing_since for each in archives if each.missing_since is not None]
    if behind:
        yield Problem(
            "lag",
            f"bronze is {(now - min(behind)).total_seconds():,.0f} s behind the log, in {len(behind)} of {len(archives)} "
            f"partitions; JISHI_WATCH_LAG_S allows {settings.watch_lag_s}. See jishi status and var/log/flink.log",
        )


def _in_bronze(settings: Settings, now: datetime) -> Iterator[Problem]:
    """Of the hour before the last minutes: numbers of collectors that bronze lacks, and shops whose events are refused."""
    import duckdb

    end = now - EDGE - timedelta(seconds=settings.watch_lag_s)
    start = end - WINDOW
    where = f"received_at >= '{_plain(start - EDGE)}' and received_at < '{_plain(end + EDGE)}'"
    columns = ("collector_id", "seq", "shop_id", "outcome", "received_at")
    with duckdb.connect() as connection:
        connection.register("incoming", LiveTail(settings).batches(columns, where))
        connection.execute("create table hour as select * from incoming")
        yield from _gaps(connection, start, end)
        yield from _refused(connection, settings, start, end)


def _gaps(connection: duckdb.DuckDBPyConnection, start: datetime, end: datetime) -> Iterator[Problem]:
    """What lies between the numbers of the window and in no row of the window or of its edges."""
    sql = """
        with spans as (
            select collector_id, min(seq) as low, max(seq) as high from hour
            where received_at >= ? and received_at < ? group by 1
        ),
        pairs as (
            select collector_id, seq, lead(seq) over (partition by collector_id order by seq) as following
            from (select distinct collector_id, seq from hour) inner join spans using (collector_id)
            where seq between low and high
        )
        select collector_id, sum(following - seq - 1), min(seq) + 1 from pairs
        where following > seq + 1 group by 1 order by 1"""
    for collector_id, count, first in connection.execute(sql, [_plain(start), _plain(end)]).fetchall():
        yield Problem(
            f"gaps.{collector_id}",
            f"bronze lacks {count:,} numbers of collector {collector_id} from {first} on; jishi reconcile --date "
            f"{start.date()} names the events",
        )


def _refused(connection: duckdb.DuckDBPyConnection, settings: Settings, start: datetime, end: datetime) -> Iterator[Problem]:
    sql = """
        select shop_id, avg((outcome in (?, ?))::int) as share, count(*) as events from hour
        where received_at >= ? and received_at < ? group by 1 having events >= ? and share > ? order by 1"""
    given = [Outcome.INVALID, Outcome.FUTURE, _plain(start), _plain(end), LEAST_EVENTS, settings.watch_quarantine_rate]
    for shop_id, share, events in connection.execute(sql, given).fetchall():
        yield Problem(
            f"quarantine.{shop_id}",
            f"{share:.1%} of {events:,} events of shop {shop_id} were refused in an hour; "
            f"jishi quarantine list --shop {shop_id}",
        )


def _freshness(settings: Settings, now: datetime) -> Iterator[Problem]:
    """Days that were over ``WORKED_UP_AFTER`` ago, with events of a shop that is not paused, of which silver has nothing."""
    over = (now - WORKED_UP_AFTER).astimezone(UTC).date()
    days = [day for day in LiveTail(settings).dates() if over - timedelta(days=8) <= day < over]
    with open_lake(open_version(settings)) as lake:
        views = ("silver_events", "silver_duplicates", "silver_quarantine")
        batches = " union ".join(f"select batch from {view}" for view in views)
        built = {name for (name,) in lake.execute(batches).fetchall()}
    idle = Shops.load(Paths.of(settings).shops_file).idle
    missing = [day for day in days if f"live-{day}" not in built and _senders(settings, day) - idle]
    if missing:
        shown = ", ".join(map(str, missing))
        yield Problem("freshness", f"silver has nothing of {shown}, bronze has; is the DAG daily on, and what do its runs say?")


def _senders(settings: Settings, day: date) -> set[str]:
    """The shops of which bronze got something on a day."""
    of_day = f"received_at >= '{day}T00:00:00' and received_at < '{day + timedelta(days=1)}T00:00:00'"
    return {shop_id for batch in LiveTail(settings).batches(("shop_id",), of_day) for shop_id in batch["shop_id"].to_pylist()}


def _held_back(settings: Settings, now: datetime) -> Iterator[Problem]:
    """Shops whose newest build a gate refused."""
    for held in all_held_back(Paths.of(settings)):
        finding = held.findings[0]
        yield Problem(f"held.{held.shop_id}", f"readers of shop {held.shop_id} have older tables since {held.since}: {finding}")


def _marts(settings: Settings, now: datetime) -> Iterator[Problem]:
    """Days of silver that were built ``WORKED_UP_AFTER`` ago and that the published marts do not know."""
    newest = open_version(settings).record
    if newest is None or newest.marts is None:
        return
    later = [version for version in Versions.of(settings).after(newest.marts.built_from) if version.writer.startswith(_SILVER)]
    since = min((version.created_at for version in later), default=now)
    if since < now - WORKED_UP_AFTER:
        yield Problem(
            "marts",
            f"silver is newer than the marts since {since:%Y-%m-%dT%H:%M:%SZ}; python -m ops.marts build says what fails",
        )


def _parity(settings: Settings, now: datetime) -> Iterator[Problem]:
    """Features of which serving used too many wrong values on the newest date that was compared, if it is of these days; dates
    that nobody has compared.
    """
    with open_lake(open_version(settings)) as lake:
        [[compared]] = lake.execute("select max(read_on) from features_online_parity").fetchall()
        sql = """
            select read_on, feature, drift from features_online_parity
            where read_on = (select max(read_on) from features_online_parity) and drift > ? order by 3 desc"""
        rows: list[tuple[date, str, float]] = lake.execute(sql, [settings.online_parity_max_drift]).fetchall()
    for read_on, feature, share in rows:
        if read_on >= (now - timedelta(days=2)).date():
            yield Problem(
                f"parity.{feature}",
                f"{share:.2%} of the values of {feature} that serving used on {read_on} were wrong; "
                f"jishi features online-parity --date {read_on}",
            )
    waits = waiting_date(settings, compared, now)
    if waits is not None and now > end_of(waits) + DUE_AFTER:
        yield Problem(
            "parity",
            f"nobody has compared the values that serving used on {waits} with the log; is the DAG online_parity on? By hand: "
            f"jishi features online-parity --date {waits}",
        )


def _plain(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
