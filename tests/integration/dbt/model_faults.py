"""Faults planted into a model's SQL, each with the dbt tests that must stop it; another fault is another entry."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFault:
    """A piece of a model's compiled SQL and what stands there instead, and the tests that fail then."""

    name: str
    model: str
    before: str
    after: str
    caught_by: AbstractSet[str]


MODEL_FAULTS = (
    ModelFault(
        "a visit that paid for an old cart went through the funnel",
        "fct_funnel_days",
        "case when has_paid then",
        "case when paid_path is not null then",
        {"funnel_steps_are_nested"},
    ),
    ModelFault(
        "the funnel counts visits that viewed",
        "fct_funnel_days",
        "count(*)",
        "count(distinct has_viewed)",
        {"days_equal_sessions"},
    ),
    ModelFault(
        "a category's visits paid without a cart",
        "fct_visit_categories",
        "funnels.has_added,",
        "false as has_added,",
        {"funnel_steps_are_nested"},
    ),
    ModelFault(
        "refunds of another order join too",
        "fct_orders",
        "orders.order_id = refunds.order_id",
        "left(orders.order_id, 3) = left(refunds.order_id, 3)",  # of every order: a minute of models that are as wrong
        {"unique_key_fct_orders_shop_id__order_id", "refunds_equal_days_and_orders", "sessions_equal_acts"},
    ),
    ModelFault(
        "orders without a refund are lost",
        "fct_orders",
        "left join refunds",
        "inner join refunds",
        {"orders_equal_silver"},
    ),
    ModelFault(
        "a refund is added instead of taken away",
        "fct_orders",
        "paid_minor - refunded_minor",
        "paid_minor + refunded_minor",
        {"refunds_equal_days_and_orders", "days_equal_orders"},
    ),
    ModelFault(
        "orders are numbered by their id",
        "fct_orders",
        "order by orders.paid_at, orders.order_id",
        "order by orders.order_id desc",
        {"orders_are_numbered_in_time"},
    ),
    ModelFault(
        "persons of two shops are one",
        "fct_orders",
        "partition by orders.shop_id, orders.person_id",
        "partition by orders.person_id",
        {"orders_are_numbered_in_time", "customers_equal_orders"},
    ),
    ModelFault(
        "an order's second refund is dropped",
        "int_refunds_summed",
        "sum(cast(counted_minor",
        "max(cast(counted_minor",
        {"refunds_equal_days_and_orders"},
    ),
    ModelFault(
        "a refund counts at twice the rate of its order",
        "int_refunds_valued",
        "cast(paid_minor as hugeint)",
        "cast(2 * paid_minor as hugeint)",
        {"refunds_stay_within_payments"},
    ),
    ModelFault(
        "a line is valued by nothing",
        "int_order_lines_valued",
        "when is_home then net_minor",
        "when is_home then null",
        {"orders_equal_their_lines", "items_equal_orders"},
    ),
    ModelFault(
        "features of items look back a day less",
        "item_daily",
        "* (-30)",
        "* (-29)",
        {"persons_did_no_more_than_items_saw"},
    ),
    ModelFault(
        "features of persons know what came later",
        "person_daily",
        "and events.known_at < as_of.event_timestamp",
        "",
        {"persons_did_no_more_than_items_saw"},
    ),
    ModelFault(
        "features of persons are of every shop",
        "person_daily",
        "on as_of.shop_id = orders.shop_id\n        and",
        "on",
        {"persons_did_no_more_than_items_saw"},
    ),
)
