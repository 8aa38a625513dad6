"""Faults planted into the models of customers, each with the dbt tests that must stop it."""

from __future__ import annotations

from tests.integration.dbt.model_faults import ModelFault

CUSTOMER_FAULTS = (
    ModelFault(
        "customers keep what they gave back",
        "dim_customers",
        "cast(net_minor as",
        "cast(paid_minor as",
        {"customers_equal_orders"},
    ),
    ModelFault(
        "customers join the last day of every shop",
        "dim_customers",
        "inner join shops on customers.shop_id = shops.shop_id",
        "cross join shops",
        {"customers_equal_orders"},
    ),
    ModelFault(
        "who has not been seen for longest is best",
        "int_customer_states_scored",
        "states.recency_days <= by_month",
        "states.recency_days >= by_month",
        {"scores_follow_the_facts"},
    ),
    ModelFault(
        "scores are those of the thresholds of every month",
        "int_customer_states_scored",
        "on states.shop_id = by_month.shop_id and states.month = by_month.month",
        "on states.shop_id = by_month.shop_id",
        {"unique_key_fct_customer_months_shop_id__person_id__month"},
    ),
    ModelFault(
        "a month knows its own money only",
        "int_customer_states_summed",
        "moved.moved_month <= months.month",
        "moved.moved_month = months.month",
        {"customers_equal_their_newest_months"},
    ),
    ModelFault(
        "an order that came back whole is an order",
        "int_customer_states_summed",
        "and (orders.kept_until is null or orders.kept_until > months.state_date)",
        "",
        {"customers_equal_their_newest_months"},
    ),
    ModelFault(
        "only who was there a month before moves",
        "fct_segment_transitions",
        "full outer join earlier",
        "inner join earlier",
        {"transitions_equal_months"},
    ),
    ModelFault(
        "what comes back counts when it was paid",
        "fct_cohorts",
        "greatest(kept.paid_date, refunds.refunded_date) as moved_date",
        "kept.paid_date as moved_date",
        {"cohorts_equal_customers"},
    ),
    ModelFault(
        "a cohort of the running month was not retained",
        "fct_cohorts",
        "case when is_over then cast(active_customers as double) / customers end as retention",
        "cast(active_customers as double) / customers as retention",
        {"cohorts_do_not_know_the_future"},
    ),
)
