"""Faults planted into the models of items and recommendations (model_faults.py says what a fault is)."""

from __future__ import annotations

from tests.integration.dbt.model_faults import ModelFault

ITEM_FAULTS = (
    ModelFault(
        "bots view items",
        "fct_item_days",
        "and bots.person_id is null",
        "",
        {"item_days_equal_orders_and_days"},
    ),
    ModelFault(
        "a day of items without views is unknown",
        "fct_item_days",
        "coalesce(looked_at.views, 0) end as views",
        "looked_at.views end as views",
        {"unknown_is_null"},
    ),
    ModelFault(
        "visits that paid without a look have looked",
        "fct_item_days",
        "viewed_at is not null",
        "true",
        {"items_keep_their_bounds"},
    ),
    ModelFault(
        "a stock that nobody counts is none",
        "fct_item_periods",
        "(summed.units + items.stock)",
        "(summed.units + coalesce(items.stock, 0))",
        {"items_keep_their_bounds"},
    ),
    ModelFault(
        "categories leave out what is in none",
        "fct_category_periods",
        "from item_periods",
        "from item_periods where category is not null",
        {"item_periods_equal_days"},
    ),
    ModelFault(
        "lift is counted from one side",
        "fct_item_pairs",
        "(lifted.orders * lifted.partner_orders)",
        "(lifted.orders * lifted.orders)",
        {"pairs_are_mutual"},
    ),
    ModelFault(
        "a refund that does not count has a reason",
        "int_item_refunds_reasoned",
        "outcome in ('counted', 'over_refund') and counted_minor > 0",
        "counted_minor >= 0",
        {"return_reasons_equal_refunds"},
    ),
    ModelFault(
        "pieces that two refunds name come back twice",
        "int_item_refunds_reasoned",
        "least(upto, ordered) - least(upto - quantity, ordered)",
        "quantity",
        {"return_reasons_equal_refunds"},
    ),
    ModelFault(
        "carts are views too",
        "fct_visit_days",
        "acts.type = 'item_viewed'",
        "acts.type in ('item_viewed', 'item_added_to_cart')",
        {"visit_days_equal_days"},
    ),
    ModelFault(
        "recommendations to bots count",
        "int_recommended_items_shown",
        "and bots.person_id is null",
        "",
        {"recommendations_equal_events"},
    ),
    ModelFault(
        "an item has every decision of its list",
        "int_recommended_items_traced",
        "and shown.item_id = decisions.item_id",
        "",
        {"recommendation_totals_equal_showings"},
    ),
    ModelFault(
        "what nobody decided is no recommendation",
        "int_recommended_items_traced",
        "left join decisions",
        "inner join decisions",
        {"recommendation_totals_equal_showings"},
    ),
    ModelFault(
        "an order follows a click and showing alone",
        "int_recommendations_followed",
        "and after_last_click.act_id is null",
        "",
        {"recommendations_equal_events"},
    ),
    ModelFault(
        "an order follows every click before it",
        "int_recommendations_followed",
        "where clicks_since = 1",
        "",
        {"recommendations_equal_events"},
    ),
)
