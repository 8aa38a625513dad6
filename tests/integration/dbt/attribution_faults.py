"""Faults planted into the models of attribution, each with the dbt tests that must stop it."""

from __future__ import annotations

from tests.integration.dbt.model_faults import ModelFault

ATTRIBUTION_FAULTS = (
    ModelFault(
        "a visit led to an order that nobody paid",
        "fct_touchpoints",
        "touches.order_id,\n    cast(row_number()",
        "touches.order_id || '?' as order_id,\n    cast(row_number()",
        {"touchpoints_are_of_an_order"},
    ),
    ModelFault(
        "the credit of an order goes to another number",
        "fct_attribution_credits",
        "shares.order_id,\n    shares.model,\n    shares.touch_number,\n    shares.paid_date",
        "shares.order_id || '?' as order_id,\n    shares.model,\n    shares.touch_number,\n    shares.paid_date",
        {"credits_are_of_an_order", "credits_equal_orders"},
    ),
    ModelFault(
        "orders without a visit are nobody's",
        "fct_touchpoints",
        "where visited.order_id is null",
        "where false",
        {"credits_equal_orders"},
    ),
    ModelFault(
        "cents that do not divide are lost",
        "fct_attribution_credits",
        "<= net_minor - sum(rounded_down)",
        "< net_minor - sum(rounded_down)",
        {"credits_equal_orders"},
    ),
    ModelFault(
        "credits are of what was paid, whatever came back",
        "fct_attribution_credits",
        "orders.net_minor,",
        "orders.paid_minor as net_minor,",
        {"credits_equal_orders", "channel_days_equal_orders_and_spend"},
    ),
    ModelFault(
        "the spend of a channel counts for each of its campaigns",
        "fct_channel_days",
        "and coalesce(places.campaign, '') = coalesce(spend.campaign, '')",
        "",
        {"channel_days_equal_orders_and_spend"},
    ),
)
