"""A live day of a shop against its own history: volume, mix of event types, repeats, currency and prices.

Only live days are judged, and volume, mix and repeats only against live days of the same weekday: an imported history may hold
other parts of a shop's life than its storefront sends. Where a shop has too little of it, nothing is judged.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from jishi.held_back import GateFinding
from spark_jobs.gates.volume import LEAST_WEEKS, WEEKS, CountOfDay, judge_count

if TYPE_CHECKING:
    import duckdb

_LIVE = "live-"
_DAYS = 7 * WEEKS  # of history
_LEAST_EVENTS = 200  # of a day, to have a mix
_MIX_DISTANCE = 0.4  # total variation: so much of a day's events are of other types than usual
_MIX_FACTOR = 6.0  # times the median distance of the earlier days
_REPEATED, _REPEATED_BEFORE = 0.3, 0.03  # share of a day's acts that repeat another one, and what it usually is below
_LEAST_ORDERS = 20
_LEAST_ORDERS_BEFORE = 100
_OTHER_CURRENCY, _KNOWN_CURRENCY = 0.5, 0.01
_LEAST_ITEMS = 20
_PRICE_FACTOR = 5.0
SHOWN = 5
Counts = dict[str, dict[date, Counter[str]]]
Findings = Iterator[tuple[str, GateFinding]]


@dataclass(frozen=True)
class JudgedDay:
    """A live batch with the shops that it was built for. Only days before ``today`` (UTC) are over, so that a lack shows."""

    day: date
    shops: list[str]
    today: date = date.max

    @property
    def is_over(self) -> bool:
        """Whether nothing can come to it any more."""
        return self.day < self.today

    @property
    def is_next_over(self) -> bool:
        """Whether the day after it can be compared with."""
        return self.day + timedelta(days=1) < self.today

    @property
    def batch(self) -> str:
        """Its name."""
        return f"{_LIVE}{self.day}"


def judged_days(batches: Mapping[str, list[str]], now: datetime | None) -> list[JudgedDay]:
    """The live ones of some batches with their shops; at ``now`` (UTC; None: long after) a day is over or not."""
    days = [(date.fromisoformat(name.removeprefix(_LIVE)), shops) for name, shops in batches.items() if name.startswith(_LIVE)]
    today = date.max if now is None else now.astimezone(UTC).date()
    return [JudgedDay(day, shops, today) for day, shops in days if shops]


def unlike_history(connection: duckdb.DuckDBPyConnection, days: list[JudgedDay]) -> Findings:
    """``(shop_id, finding)`` of the days that no history of their shop explains, of the views of silver."""
    if not days:
        return
    counts = _counts(connection, days)
    for day in days:
        for shop_id in day.shops:
            of_shop = counts.get(shop_id, {})
            if day.is_over:
                yield from _mix(day, shop_id, of_shop)
            yield from _volume(day, shop_id, of_shop)
        yield from _repeats(connection, day)
        yield from _currency(connection, day)
        yield from _prices(connection, day)


def _counts(connection: duckdb.DuckDBPyConnection, days: list[JudgedDay]) -> Counts:
    """Events by shop, live day and type, of the days, those beside them and their weekdays before."""
    wanted = {day.day + timedelta(days=apart) for day in days for apart in (-1, 0, 1, *range(-_DAYS, 0, 7))}
    names = sorted(f"{_LIVE}{day}" for day in wanted)
    counts: Counts = defaultdict(lambda: defaultdict(Counter))
    sql = "select shop_id, batch, type, count(*) from silver_events where batch in (select unnest(?)) group by all"
    for shop_id, batch, kind, count in connection.execute(sql, [names]).fetchall():
        counts[shop_id][date.fromisoformat(batch.removeprefix(_LIVE))][kind] = count
    return counts


def _weekdays(day: date, of_shop: Mapping[date, Counter[str]]) -> list[Counter[str]]:
    """The same weekday of the weeks before since the shop's first known one, newest first; a day without events is a day."""
    earlier = [day - timedelta(days=7 * weeks) for weeks in range(1, WEEKS + 1)]
    known = [each for each in earlier if each in of_shop]
    return [of_shop.get(each, Counter()) for each in earlier if known and each >= known[-1]]


def _volume(day: JudgedDay, shop_id: str, of_shop: Mapping[date, Counter[str]]) -> Findings:
    weekdays = _weekdays(day.day, of_shop)
    before = of_shop.get(day.day - timedelta(days=1), Counter())
    after = of_shop.get(day.day + timedelta(days=1)) if day.is_next_over else None
    for measure in ("events", "orders"):
        table = f"silver/{measure}"

        def amount(types: Counter[str], measure: str = measure) -> int:
            return types.total() if measure == "events" else types["order_paid"]

        count = CountOfDay(
            amount(of_shop.get(day.day, Counter())),
            [amount(types) for types in weekdays],
            amount(before),
            amount(after) if after is not None else None,
        )
        fault = judge_count(count)
        if fault is None or (fault == "collapse" and not day.is_over):
            continue
        usual = f"{median(count.weekdays):,.0f}"
        says = f"{count.amount:,} {measure}, usually {usual} on this weekday: {fault}"
        sample = (f"this weekday before: {', '.join(map(str, count.weekdays))}", f"the day before: {count.before}")
        yield shop_id, GateFinding("volume", table, day.batch, says, sample, _repair(shop_id, day, "volume"))


def _mix(day: JudgedDay, shop_id: str, of_shop: Mapping[date, Counter[str]]) -> Findings:
    """Total variation between the day's shares of types and those of all its weekdays before."""
    today = of_shop.get(day.day, Counter())
    earlier = [types for types in _weekdays(day.day, of_shop) if types.total() >= _LEAST_EVENTS]
    if today.total() < _LEAST_EVENTS or len(earlier) < LEAST_WEEKS:
        return
    usual = sum(earlier, Counter())
    distance = _distance(today, usual)
    if distance <= max(_MIX_DISTANCE, _MIX_FACTOR * median(_distance(types, usual) for types in earlier)):
        return
    shares = {kind: (today[kind] / today.total(), usual[kind] / usual.total()) for kind in today | usual}
    shifted = sorted(shares, key=lambda kind: (-abs(shares[kind][0] - shares[kind][1]), kind))[:SHOWN]
    sample = tuple(f"{kind} {shares[kind][0]:.1%}, usually {shares[kind][1]:.1%}" for kind in shifted)
    says = f"{distance:.0%} of the events are of other types than on this weekday"
    yield shop_id, GateFinding("mix", "silver/events", day.batch, says, sample, _repair(shop_id, day, "mix"))


def _distance(one: Counter[str], other: Counter[str]) -> float:
    return sum(abs(one[kind] / one.total() - other[kind] / other.total()) for kind in one | other) / 2


def _repeats(connection: duckdb.DuckDBPyConnection, day: JudgedDay) -> Findings:
    """Acts of one person, type, item and millisecond under several event ids: the same day was sent again with new ids."""
    for shop_id, acts, repeated, sample in _repeated(connection, day.batch, day.shops):
        if acts < _LEAST_EVENTS or repeated <= _REPEATED * acts:
            continue
        earlier = [f"{_LIVE}{day.day - timedelta(days=7 * weeks)}" for weeks in range(1, WEEKS + 1)]
        before = [(n, again) for name in earlier for _, n, again, _ in _repeated(connection, name, [shop_id])]
        if len(before) < LEAST_WEEKS or median(again / n for n, again in before) > _REPEATED_BEFORE:
            continue
        says = f"{repeated:,} of {acts:,} acts repeat another one of the same person, type, item and instant"
        yield shop_id, GateFinding("repeats", "silver/events", day.batch, says, tuple(sample), _repair(shop_id, day, "repeats"))


def _repeated(connection: duckdb.DuckDBPyConnection, batch: str, shops: list[str]) -> list[tuple[str, int, int, list[str]]]:
    sql = f"""
        with acts as (
            select shop_id, hash(coalesce(user_id, anonymous_id), type, occurred_at, item_id) as act, count(*) as n,
                min(event_id) as one, max(event_id) as another
            from silver_events
            where batch = ? and shop_id in (select unnest(?)) and coalesce(user_id, anonymous_id) is not null group by all
        )
        select shop_id, sum(n)::bigint, sum(n - 1)::bigint,
            list(one || ' = ' || another order by one) filter (n > 1)[:{SHOWN}]
        from acts group by 1 order by 1"""
    return connection.execute(sql, [batch, shops]).fetchall()


def _currency(connection: duckdb.DuckDBPyConnection, day: JudgedDay) -> Findings:
    """Most orders of the day are in a currency that the shop's orders of the eight weeks before hardly know."""
    sql = """
        with orders as (
            select shop_id, currency, order_id, batch = ? as is_today from silver_orders
            where shop_id in (select unnest(?)) and (batch = ? or (batch <> ? and paid_at >= ? and paid_at < ?))
        ),
        by_currency as (
            select shop_id, currency, count(*) filter (is_today) as today, count(*) filter (not is_today) as before,
                (list(order_id order by order_id) filter (is_today))[:5] as sample
            from orders group by all
        ),
        compared as (
            select *, sum(today) over (partition by shop_id) as orders, sum(before) over (partition by shop_id) as orders_before
            from by_currency
        )
        select shop_id, currency, today, orders, before, orders_before, sample from compared
        where orders >= ? and orders_before >= ? and today > ? * orders and before < ? * orders_before order by 1"""
    start = datetime(day.day.year, day.day.month, day.day.day)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
    given = [day.batch, day.shops, day.batch, day.batch, start - timedelta(days=_DAYS), start]
    given += [_LEAST_ORDERS, _LEAST_ORDERS_BEFORE, _OTHER_CURRENCY, _KNOWN_CURRENCY]
    for shop_id, currency, today, orders, before, of_before, sample in connection.execute(sql, given).fetchall():
        says = f"{today:,} of {orders:,} orders are in {currency}, as were {before:,} of the {of_before:,} before"
        yield (
            shop_id,
            GateFinding("currency", "silver/orders", day.batch, says, tuple(sample), _repair(shop_id, day, "currency")),
        )


def _prices(connection: duckdb.DuckDBPyConnection, day: JudgedDay) -> Findings:
    """The middle item sells for so many times its own price of the weeks before: another unit or another currency.

    A sale of some items leaves the middle one alone, a sale of the whole shop stays within the factor.
    """
    sql = f"""
        with lines as (
            select shop_id, item_id, currency, unit_price_minor, lines.batch = ? as is_today
            from silver_order_lines as lines inner join silver_orders as orders using (shop_id, order_id)
            where shop_id in (select unnest(?)) and unit_price_minor > 0
            and (lines.batch = ? or (lines.batch <> ? and lines.paid_at >= ? and lines.paid_at < ?))
        ),
        items as (
            select shop_id, item_id, median(unit_price_minor) filter (is_today) as today,
                median(unit_price_minor) filter (not is_today) as before
            from lines group by shop_id, item_id, currency
        )
        select shop_id, count(*), exp(median(ln(today / before))),
            list(item_id || ' ' || today::bigint || ', before ' || before::bigint order by item_id)[:{SHOWN}]
        from items where today is not null and before is not null group by 1 order by 1"""
    start = datetime(day.day.year, day.day.month, day.day.day)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
    given = [day.batch, day.shops, day.batch, day.batch, start - timedelta(days=_DAYS), start]
    for shop_id, items, factor, sample in connection.execute(sql, given).fetchall():
        if items >= _LEAST_ITEMS and abs(math.log(factor)) > math.log(_PRICE_FACTOR):
            says = f"the middle one of {items:,} items costs {factor:,.3g} times what it did"
            yield shop_id, GateFinding("prices", "silver/order_lines", day.batch, says, sample, _repair(shop_id, day, "prices"))


def _repair(shop_id: str, day: JudgedDay, check: str) -> str:
    return (
        f"mend what sent it and run python -m spark_jobs silver --batch {day.batch} --shop {shop_id}; if it is true, "
        f"jishi gates accept --shop {shop_id} --date {day.day} --check {check} --reason WHY first"
    )
