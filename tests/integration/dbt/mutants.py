"""Faults planted into silver's rows or into a model's SQL, each with the dbt tests that must stop it.

Another fault is another entry; the test runs them all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RowFault:
    """Statements that change rows of the staging models, and the tests that fail then. Only shop ``a`` is changed."""

    name: str
    sql: str
    caught_by: frozenset[str]


@dataclass(frozen=True)
class ModelFault:
    """A piece of a model's compiled SQL and what stands there instead, and the tests that fail then."""

    name: str
    model: str
    before: str
    after: str
    caught_by: frozenset[str]


def _by(*tests: str) -> frozenset[str]:
    return frozenset(tests)


ROW_FAULTS = (
    RowFault(
        "a day of orders is loaded twice",
        """insert into stg_lake__orders from stg_lake__orders where shop_id = 'a' and paid_date =
           (select min(paid_date) from stg_lake__orders where shop_id = 'a')""",
        _by("unique_key_stg_lake__orders_shop_id__order_id", "items_equal_order_lines", "sessions_equal_acts"),
    ),
    RowFault(
        "the lines of a day are loaded twice under new numbers",
        """insert into stg_lake__order_lines select * replace (line_number + 100 as line_number) from stg_lake__order_lines
           where shop_id = 'a' and paid_date = (select min(paid_date) from stg_lake__orders where shop_id = 'a')""",
        _by("orders_equal_their_lines", "items_equal_order_lines", "daily_features_equal_between_persons_and_items"),
    ),
    RowFault(
        "an order's lines are lost",
        "delete from stg_lake__order_lines where shop_id = 'a' and order_id = "
        "(select min(order_id) from stg_lake__orders where shop_id = 'a')",
        _by("orders_equal_their_lines", "items_equal_order_lines"),
    ),
    RowFault(
        "orders are a hundred times as dear",
        """update stg_lake__orders set gross_minor = gross_minor * 100, discount_minor = discount_minor * 100,
           shipping_minor = shipping_minor * 100, paid_minor = paid_minor * 100 where shop_id = 'a'""",
        _by("orders_equal_their_lines", "items_equal_order_lines"),
    ),
    RowFault(
        "one line has its price in another unit",
        """update stg_lake__order_lines set unit_price_minor = unit_price_minor * 100, net_minor = net_minor * 100
           where shop_id = 'a' and line_number = 3""",
        _by("orders_equal_their_lines", "items_equal_order_lines"),
    ),
    RowFault(
        "the sign of a payment is flipped",
        "update stg_lake__orders set paid_minor = -paid_minor where shop_id = 'a' and lines = 2",
        _by("money_keeps_its_bounds", "orders_equal_their_lines"),
    ),
    RowFault(
        "refunds are negative",
        "update stg_lake__refunds set amount_minor = -amount_minor where shop_id = 'a'",
        _by("money_keeps_its_bounds"),
    ),
    RowFault(
        "refunds are in another unit",
        "update stg_lake__refunds set amount_minor = amount_minor * 100 where shop_id = 'a'",
        _by("refunds_stay_within_payments"),
    ),
    RowFault(
        "a refund is loaded twice",
        "insert into stg_lake__refunds from stg_lake__refunds where shop_id = 'a' limit 1",
        _by("unique_key_stg_lake__refunds_shop_id__refund_id"),
    ),
    RowFault(
        "gross and discount change places",
        "update stg_lake__orders set gross_minor = discount_minor, discount_minor = gross_minor where shop_id = 'a'",
        _by("orders_equal_their_lines"),
    ),
    RowFault(
        "quantity and price change places",
        "update stg_lake__order_lines set quantity = unit_price_minor, unit_price_minor = quantity where shop_id = 'a'",
        _by("orders_equal_their_lines", "items_equal_order_lines"),
    ),
    RowFault(
        "payments are eight hours late",
        "update stg_lake__orders set paid_at = paid_at + interval 8 hour where shop_id = 'a'",
        _by("dates_are_of_the_shops_time_zone"),
    ),
    RowFault(
        "sessions have the date of UTC",
        "update stg_lake__sessions set started_date = cast(started_at as date) where shop_id = 'a'",
        _by("dates_are_of_the_shops_time_zone"),
    ),
    RowFault(
        "refunds have the date of UTC",
        "update stg_lake__refunds set refunded_date = cast(refunded_at as date) where shop_id = 'a'",
        _by("dates_are_of_the_shops_time_zone"),
    ),
    RowFault(
        "events have the date of UTC",
        "update stg_lake__events set occurred_date = cast(occurred_at as date) where shop_id = 'a'",
        _by("dates_are_of_the_shops_time_zone"),
    ),
    RowFault(
        "a visit is lost",
        "delete from stg_lake__sessions where shop_id = 'a' and session_key = "
        "(select max(session_key) from stg_lake__sessions where shop_id = 'a' and views > 0)",
        _by("sessions_equal_acts", "views_equal_between_days_items_and_sessions"),
    ),
    RowFault(
        "a visit is written twice",
        "insert into stg_lake__sessions from stg_lake__sessions where shop_id = 'a' and orders > 0 limit 1",
        _by("unique_key_stg_lake__sessions_shop_id__session_key", "unique_key_fct_sessions_shop_id__session_key"),
    ),
    RowFault(
        "an order forgets who bought",
        "update stg_lake__orders set person_id = null where shop_id = 'a' and lines = 1",
        _by("sessions_equal_acts"),
    ),
    RowFault(
        "an event has no shop",
        "update stg_lake__events set shop_id = null where shop_id = 'a' and is_late",
        _by("not_null_fct_shop_days_shop_id"),
    ),
    RowFault(
        "an item is in the catalogue twice",
        "insert into stg_lake__items from stg_lake__items where shop_id = 'a' limit 1",
        _by("unique_key_stg_lake__items_shop_id__item_id", "unique_key_dim_items_shop_id__item_id"),
    ),
)

MODEL_FAULTS = (
    ModelFault(
        "refunds of another order join too",
        "fct_orders",
        "orders.shop_id = refunds.shop_id and orders.order_id = refunds.order_id",
        "orders.shop_id = refunds.shop_id",
        _by("unique_key_fct_orders_shop_id__order_id", "refunds_equal_days_and_orders", "sessions_equal_acts"),
    ),
    ModelFault(
        "a refund is added instead of taken away",
        "fct_orders",
        "paid_minor - refunded_minor",
        "paid_minor + refunded_minor",
        _by("refunds_equal_days_and_orders", "days_equal_orders"),
    ),
    ModelFault(
        "orders are numbered by their id",
        "fct_orders",
        "order by orders.paid_at, orders.order_id",
        "order by orders.order_id desc",
        _by("orders_are_numbered_in_time"),
    ),
    ModelFault(
        "persons of two shops are one",
        "fct_orders",
        "partition by orders.shop_id, orders.person_id",
        "partition by orders.person_id",
        _by("orders_are_numbered_in_time", "customers_equal_orders"),
    ),
    ModelFault(
        "an order's second refund is dropped",
        "int_refunds_summed",
        "sum(amount_minor)",
        "max(amount_minor)",
        _by("refunds_equal_days_and_orders"),
    ),
    ModelFault(
        "a day's refunds are added to its sales",
        "fct_shop_days",
        "coalesce(sales.gmv_minor, 0) - coalesce(returned.refunds_minor, 0)",
        "coalesce(sales.gmv_minor, 0) + coalesce(returned.refunds_minor, 0)",
        _by("days_equal_refunds", "refunds_equal_days_and_orders"),
    ),
    ModelFault(
        "refunds without an order on their day are dropped",
        "fct_shop_days",
        "select\n        shop_id,\n        shop_date\n    from returned",
        "select\n        shop_id,\n        shop_date\n    from sales",
        _by("days_equal_refunds", "refunds_equal_days_and_orders"),
    ),
    ModelFault(
        "a day's refunds are those of the orders of the day",
        "fct_shop_days",
        "on days.shop_id = returned.shop_id and days.shop_date = returned.shop_date",
        "on days.shop_id = returned.shop_id",
        _by("unique_key_fct_shop_days_shop_id__shop_date", "days_equal_refunds"),
    ),
    ModelFault(
        "gross is the discount",
        "fct_shop_days",
        "sum(gross_minor)",
        "sum(discount_minor)",
        _by("days_equal_orders"),
    ),
    ModelFault(
        "a day's customers are its orders",
        "fct_shop_days",
        "cast(count(distinct person_id) as bigint) as paying_customers",
        "cast(count(*) as bigint) as paying_customers",
        _by("days_equal_orders"),
    ),
    ModelFault(
        "the average order is one of all customers",
        "fct_shop_days",
        "cast(sales.gmv_minor as double) / sales.orders",
        "cast(sales.gmv_minor as double) / repurchase.customers_30d",
        _by("rates_lie_within_what_they_average"),
    ),
    ModelFault(
        "conversion is turned over",
        "fct_shop_days",
        "cast(visits.paying_sessions as double) / nullif(visits.sessions, 0)",
        "cast(visits.sessions as double) / nullif(visits.paying_sessions, 0)",
        _by("rates_lie_within_what_they_average"),
    ),
    ModelFault(
        "everybody came back",
        "fct_shop_days",
        "orders >= 2",
        "orders >= 1",
        _by("thirty_days_hold_each_of_their_days"),
    ),
    ModelFault(
        "customers of all shops are counted",
        "fct_shop_days",
        "on days.shop_id = orders.shop_id\n        and orders.paid_date <= days.shop_date",
        "on orders.paid_date <= days.shop_date",
        _by("thirty_days_hold_each_of_their_days"),
    ),
    ModelFault(
        "thirty days are seven",
        "fct_shop_days",
        "* (-30)",
        "* (-7)",
        _by("thirty_days_hold_each_of_their_days"),
    ),
    ModelFault(
        "every event is a page view",
        "fct_shop_days",
        "type = 'item_viewed'",
        "type is not null",
        _by("views_equal_between_days_items_and_sessions"),
    ),
    ModelFault(
        "a visit that paid for an old cart went through the funnel",
        "int_session_funnels_nested",
        "views > 0 and adds > 0 and checkouts > 0 and orders > 0",
        "orders > 0",
        _by("funnel_steps_are_nested"),
    ),
    ModelFault(
        "the funnel counts visits that viewed",
        "fct_funnel_days",
        "count(*)",
        "count(distinct has_viewed)",
        _by("days_equal_sessions"),
    ),
    ModelFault(
        "customers keep what they gave back",
        "dim_customers",
        "sum(orders.net_minor)",
        "sum(orders.paid_minor)",
        _by("customers_equal_orders"),
    ),
    ModelFault(
        "customers join the last day of every shop",
        "dim_customers",
        "inner join last_days on orders.shop_id = last_days.shop_id",
        "cross join last_days",
        _by("customers_equal_orders"),
    ),
    ModelFault(
        "who has not been seen for longest is best",
        "dim_customers",
        "order by recency_days desc",
        "order by recency_days",
        _by("scores_follow_the_facts"),
    ),
    ModelFault(
        "scores count over all shops",
        "dim_customers",
        "percent_rank() over (partition by shop_id order by spent_minor)",
        "percent_rank() over (order by shop_id, spent_minor)",
        _by("scores_follow_the_facts"),
    ),
    ModelFault(
        "items of two shops are one",
        "dim_items",
        "items.shop_id = sold.shop_id and items.item_id = sold.item_id",
        "items.item_id = sold.item_id",
        _by("unique_key_dim_items_shop_id__item_id", "items_equal_order_lines"),
    ),
    ModelFault(
        "an item's units are its lines",
        "dim_items",
        "sum(quantity)",
        "count(*)",
        _by("items_equal_order_lines"),
    ),
    ModelFault(
        "an item's revenue is before discounts of the line",
        "dim_items",
        "sum(net_minor)",
        "sum(quantity * unit_price_minor)",
        _by("items_equal_order_lines"),
    ),
    ModelFault(
        "features of items look back a day less",
        "item_daily",
        "* (-30)",
        "* (-29)",
        _by("daily_features_equal_between_persons_and_items"),
    ),
    ModelFault(
        "features of persons know what came later",
        "person_daily",
        "and events.received_at < as_of.event_timestamp",
        "",
        _by("daily_features_equal_between_persons_and_items"),
    ),
    ModelFault(
        "features of persons are of every shop",
        "person_daily",
        "on as_of.shop_id = orders.shop_id\n        and",
        "on",
        _by("daily_features_equal_between_persons_and_items"),
    ),
)
