"""Why the counters of a shop's day (jishi.shop_counters) are not the marts' numbers: every difference has one of these names.

- ``late``: known more than the allowed lateness after it happened; ``imported``: from another system's history; ``repaired``:
  made good after quarantine. The stream counts none of them.
- ``reported_before``: a second report of an order whose first one belongs to another day.
- ``bot``: persons that behave like programs, and what they did; ``identity``: devices and users that were one person.
- ``rate``: an amount in another currency, by the rate of its date instead of the stamp; ``refund``: paid back on that day.

What the stream has counted is read from silver, as its events that were on time; tests/integration/flink shows that it does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion
from jishi.marts import mart_rows
from jishi.shop_counters import NOT_IN_STOREFRONT
from quality.bots import bot_labels

if TYPE_CHECKING:
    import duckdb

_NEVER_STREAMED = ("late", "repaired", "imported")
# ``cause`` is null for what the stream has counted; ``named_id`` is the person that the event itself names.
_EVENTS = """
create temp table day_events as
select event_id, occurred_date as day, type, person_id, list_contains($bots, person_id) as is_bot,
    case when user_id is not null then 'u:' || user_id else 'a:' || anonymous_id end as named_id,
    json_extract_string(line, '$.properties.order_id') as order_id,
    case
        when batch = 'history' then 'imported' when repaired_at is not null then 'repaired' when is_late then 'late'
    end as cause
from silver_events where shop_id = $shop and occurred_date between $first and $last
"""
_ORDERS = """
with counted as (
    select distinct day, order_id from day_events where type = 'order_paid' and cause is null
), final as (
    select paid_date as day, order_id, event_id from silver_orders where shop_id = $shop and paid_date between $first and $last
)
select coalesce(final.day, counted.day) as day, known.order_id, counted.order_id is not null as is_counted,
    final.order_id is not null as is_of_day, coalesce(known.home_paid_minor, 0) as stamped_minor, day_events.cause
from final
full join counted on final.order_id = counted.order_id and final.day = counted.day
inner join silver_orders as known on known.shop_id = $shop and known.order_id = coalesce(final.order_id, counted.order_id)
left join day_events on final.event_id = day_events.event_id
"""
_ACTS = f"select * from day_events where person_id is not null and type not in {NOT_IN_STOREFRONT}"
_FINAL = """
select days.*, coalesce(hours.cart_adds, 0) as cart_adds, coalesce(paid.paid, map {}) as paid from fct_shop_days as days
left join (
    select shop_id, shop_date, sum(cart_adds) as cart_adds from fct_shop_hours group by all
) as hours using (shop_id, shop_date)
left join (
    select shop_id, paid_date as shop_date, map(list(order_id), list(coalesce(paid_minor, 0))) as paid
    from fct_orders group by all
) as paid using (shop_id, shop_date)
where shop_id = $1 and shop_date between $2 and $3 order by shop_date
"""


@dataclass(frozen=True)
class CounterDifference:
    """A number of a day as the stream counted it and as the marts have it; ``causes``: what each of them adds."""

    number: str
    counted: int
    final: int
    causes: Mapping[str, int]

    @property
    def unexplained(self) -> int:
        """What no cause explains: 0, unless stream, silver and marts disagree."""
        return self.final - self.counted - sum(self.causes.values())


def counter_differences(lake: LakeVersion, shop_id: str, first: date, last: date) -> dict[date, list[CounterDifference]]:
    """Orders, money, visitors, views and adds of each day that the marts know. Raises TableNotPublished without marts."""
    finals = mart_rows(lake, _FINAL, shop_id, first, last)
    asked = {"shop": shop_id, "first": first, "last": last}
    bots = [label.person_id for label in bot_labels(lake, shop_id)]
    with open_lake(lake) as connection:
        connection.execute(_EVENTS, asked | {"bots": bots})
        orders, acts = _by_day(connection, _ORDERS, asked), _by_day(connection, _ACTS, {})
    return {
        day: [*_of_sales(final, orders.get(day, [])), *_of_traffic(final, acts.get(day, []))]
        for final in finals
        for day in [final["shop_date"]]
    }


def _of_sales(final: Mapping[str, Any], orders: list[dict[str, Any]]) -> list[CounterDifference]:
    stamped = {row["order_id"]: int(row["stamped_minor"]) for row in orders}
    counted_minor = sum(stamped[row["order_id"]] for row in orders if row["is_counted"])
    rate = sum(paid_minor - stamped[order_id] for order_id, paid_minor in final["paid"].items())
    of_money = _of_orders(orders, stamped) | {"rate": int(rate)}
    gmv_minor, refunds_minor = (int(final[name] or 0) for name in ("gmv_minor", "refunds_minor"))  # unknown without a rate
    net_minor = gmv_minor - refunds_minor if final["net_gmv_minor"] is None else int(final["net_gmv_minor"])
    of_net = of_money | {"refund": -refunds_minor}
    return [
        CounterDifference("orders", sum(row["is_counted"] for row in orders), final["orders"], _of_orders(orders)),
        CounterDifference("gmv_minor", counted_minor, gmv_minor, of_money),
        CounterDifference("net_gmv_minor", counted_minor, net_minor, of_net),
    ]


def _of_traffic(final: Mapping[str, Any], acts: list[dict[str, Any]]) -> list[CounterDifference]:
    return [
        _of_persons(acts, final["visitors"] or 0),
        _of_acts("item_views", [act for act in acts if act["type"] == "item_viewed"], final["item_views"] or 0),
        _of_acts("cart_adds", [act for act in acts if act["type"] == "item_added_to_cart"], int(final["cart_adds"])),
    ]


def _of_orders(orders: list[dict[str, Any]], weights: Mapping[str, int] | None = None) -> dict[str, int]:
    """Orders by cause, or what they weigh."""

    def total(kept: list[dict[str, Any]]) -> int:
        return sum(1 if weights is None else weights[row["order_id"]] for row in kept)

    only_final = [row for row in orders if row["is_of_day"] and not row["is_counted"]]
    causes = {cause: total([row for row in only_final if row["cause"] == cause]) for cause in _NEVER_STREAMED}
    return causes | {"reported_before": -total([row for row in orders if row["is_counted"] and not row["is_of_day"]])}


def _of_persons(acts: list[dict[str, Any]], final: int) -> CounterDifference:
    """Persons: one after another, what each cause changes in the number of different ones."""
    on_time = [act for act in acts if act["cause"] is None]
    of_people = [act for act in on_time if not act["is_bot"]]
    counted, named = len({act["named_id"] for act in on_time}), len({act["named_id"] for act in of_people})
    known = {act["person_id"] for act in of_people}
    causes = {"bot": named - counted, "identity": len(known) - named}
    for cause in _NEVER_STREAMED:
        more = {act["person_id"] for act in acts if act["cause"] == cause and not act["is_bot"]} - known
        causes[cause] = len(more)
        known |= more
    return CounterDifference("visitors", counted, final, causes)


def _of_acts(number: str, acts: list[dict[str, Any]], final: int) -> CounterDifference:
    on_time = [act for act in acts if act["cause"] is None]
    causes = {"bot": -sum(act["is_bot"] for act in on_time)}
    causes |= {c: sum(act["cause"] == c and not act["is_bot"] for act in acts) for c in _NEVER_STREAMED}
    return CounterDifference(number, len(on_time), final, causes)


def _by_day(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> dict[date, list[dict[str, Any]]]:
    cursor = connection.execute(sql, parameters)
    names = [name for name, *_ in cursor.description or ()]
    rows: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        rows[row["day"]].append(row)
    return rows
