{#- What followed recommendations, over rows of int_recommended_items_traced. -#}
{% macro recommendation_measures() -%}
    cast(count(*) as bigint) as impressions,
    {{ count_where('is_clicked') }} as clicks,
    {{ count_where('is_added') }} as clicks_added,
    cast(sum(click_orders) as bigint) as click_orders,
    cast(sum(click_priced_orders) as bigint) as click_priced_orders,
    {{ sum_minor('click_units') }} as click_units,
    {{ sum_minor_of_orders('click_revenue_minor', 'click_orders', 'click_priced_orders') }} as click_revenue_minor,
    {{ sum_minor_of_orders('click_net_revenue_minor', 'click_orders', 'click_priced_orders') }} as click_net_revenue_minor,
    cast(sum(shown_orders) as bigint) as shown_orders,
    cast(sum(shown_priced_orders) as bigint) as shown_priced_orders,
    {{ sum_minor('shown_units') }} as shown_units,
    {{ sum_minor_of_orders('shown_revenue_minor', 'shown_orders', 'shown_priced_orders') }} as shown_revenue_minor,
    {{ sum_minor_of_orders('shown_net_revenue_minor', 'shown_orders', 'shown_priced_orders') }} as shown_net_revenue_minor
{%- endmacro %}
