"""Faults planted into silver's rows, each with the dbt tests that must stop it; another fault is another entry."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True)
class RowFault:
    """Statements that change rows of the staging models, and the tests that fail then. Only shop ``a`` is changed."""

    name: str
    sql: str
    caught_by: AbstractSet[str]


ROW_FAULTS = (
    RowFault(
        "a day of orders is loaded twice",
        """insert into stg_lake__orders from stg_lake__orders where shop_id = 'a' and paid_date =
           (select min(paid_date) from stg_lake__orders where shop_id = 'a')""",
        {"unique_key_stg_lake__orders_shop_id__order_id", "sessions_equal_acts"},
    ),
    RowFault(
        "the lines of a day are loaded twice under new numbers",
        """insert into stg_lake__order_lines select * replace (line_number + 100 as line_number) from stg_lake__order_lines
           where shop_id = 'a' and paid_date = (select min(paid_date) from stg_lake__orders where shop_id = 'a')""",
        {"orders_equal_their_lines", "items_equal_orders"},
    ),
    RowFault(
        "an order's lines are lost",
        "delete from stg_lake__order_lines where shop_id = 'a' and order_id = "
        "(select min(order_id) from stg_lake__orders where shop_id = 'a')",
        {"orders_equal_their_lines", "items_equal_orders"},
    ),
    RowFault(
        "orders are a hundred times as dear",
        """update stg_lake__orders set gross_minor = gross_minor * 100, discount_minor = discount_minor * 100,
           shipping_minor = shipping_minor * 100, paid_minor = paid_minor * 100 where shop_id = 'a'""",
        {"orders_equal_their_lines", "items_equal_orders"},
    ),
    RowFault(
        "one line has its price in another unit",
        """update stg_lake__order_lines set unit_price_minor = unit_price_minor * 100, net_minor = net_minor * 100
           where shop_id = 'a' and line_number = 3""",
        {"orders_equal_their_lines", "items_equal_orders"},
    ),
    RowFault(
        "the sign of a payment is flipped",
        "update stg_lake__orders set paid_minor = -paid_minor where shop_id = 'a' and lines = 2",
        {"money_keeps_its_bounds", "orders_equal_their_lines"},
    ),
    RowFault(
        "refunds are negative",
        "update stg_lake__refunds set amount_minor = -amount_minor, counted_minor = -counted_minor where shop_id = 'a'",
        {"money_keeps_its_bounds", "refund_outcomes_hold"},
    ),
    RowFault(
        "refunds are in another unit",
        """update stg_lake__refunds set amount_minor = amount_minor * 100, counted_minor = counted_minor * 100
           where shop_id = 'a'""",
        {"refunds_stay_within_payments"},
    ),
    RowFault(
        "more of an item comes back than it cost",
        "update stg_lake__refund_lines set amount_minor = 1000000, counted_minor = 1000000 where shop_id = 'a'",
        {"refunds_stay_within_payments"},
    ),
    RowFault(
        "a refund in another currency counts",
        "update stg_lake__refunds set currency = 'JPY' where shop_id = 'a' and outcome = 'counted'",
        {"refund_outcomes_hold"},
    ),
    RowFault(
        "an order is stamped in part",
        "update stg_lake__orders set home_paid_minor = null where shop_id = 'a' and home_currency is not null",
        {"orders_have_home_amounts"},
    ),
    RowFault(
        "an order as it came is not what its lines came to",
        "update stg_lake__orders set paid_minor = paid_minor + 1 where shop_id = 'a' and currency = 'EUR'",
        {"orders_as_they_came_equal_their_lines"},
    ),
    RowFault(
        "a refund is loaded twice",
        "insert into stg_lake__refunds from stg_lake__refunds where shop_id = 'a' limit 1",
        {"unique_key_stg_lake__refunds_shop_id__refund_id"},
    ),
    RowFault(
        "gross and discount change places",
        "update stg_lake__orders set gross_minor = discount_minor, discount_minor = gross_minor where shop_id = 'a'",
        {"orders_equal_their_lines"},
    ),
    RowFault(
        "quantity and price change places",
        "update stg_lake__order_lines set quantity = unit_price_minor, unit_price_minor = quantity where shop_id = 'a'",
        {"orders_equal_their_lines", "items_equal_orders"},
    ),
    RowFault(
        "payments are eight hours late",
        "update stg_lake__orders set paid_at = paid_at + interval 8 hour where shop_id = 'a'",
        {"dates_are_of_the_shops_time_zone"},
    ),
    RowFault(
        "sessions have the date of UTC",
        "update stg_lake__sessions set started_date = cast(started_at as date) where shop_id = 'a'",
        {"dates_are_of_the_shops_time_zone"},
    ),
    RowFault(
        "refunds have the date of UTC",
        "update stg_lake__refunds set refunded_date = cast(refunded_at as date) where shop_id = 'a'",
        {"dates_are_of_the_shops_time_zone"},
    ),
    RowFault(
        "events have the date of UTC",
        "update stg_lake__events set occurred_date = cast(occurred_at as date) where shop_id = 'a'",
        {"dates_are_of_the_shops_time_zone"},
    ),
    RowFault(
        "a visit is lost",
        "delete from stg_lake__sessions where shop_id = 'a' and session_key = "
        "(select max(session_key) from stg_lake__sessions where shop_id = 'a' and views > 0)",
        {"sessions_equal_acts", "views_equal_between_days_items_and_sessions"},
    ),
    RowFault(
        "a visit is written twice",
        "insert into stg_lake__sessions from stg_lake__sessions where shop_id = 'a' and orders > 0 limit 1",
        {"unique_key_stg_lake__sessions_shop_id__session_key", "unique_key_fct_sessions_shop_id__session_key"},
    ),
    RowFault(
        "an order forgets who bought",
        "update stg_lake__orders set person_id = null where shop_id = 'a' and lines = 1",
        {"sessions_equal_acts"},
    ),
    RowFault(
        "an event has no shop",
        "update stg_lake__events set shop_id = null where shop_id = 'a' and is_late",
        {"not_null_fct_shop_days_shop_id"},
    ),
    RowFault(
        "an item is in the catalogue twice",
        "insert into stg_lake__items from stg_lake__items where shop_id = 'a' limit 1",
        {"unique_key_stg_lake__items_shop_id__item_id", "unique_key_dim_items_shop_id__item_id"},
    ),
    RowFault(
        "a forecast is turned over",
        """insert into stg_lake__customer_values by name select 'a' as shop_id, person_id, 'CNY' as currency,
           0.5 as probability_alive, 2 as expected_purchases, 3 as expected_purchases_low, 1 as expected_purchases_high
           from stg_lake__orders where shop_id = 'a' limit 1""",
        {"forecasts_keep_their_bounds"},
    ),
    RowFault(
        "a visit begins in 2206",
        """update stg_lake__sessions set started_at = started_at + interval 180 year, ended_at = ended_at + interval 180 year,
           started_date = started_date + interval 180 year where shop_id = 'a' and orders > 0""",
        {"dates_are_possible"},
    ),
)
