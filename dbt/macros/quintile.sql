{#- A score from 1 to 5 by rank within the shop. Equal values get equal scores (percent_rank), so no tie depends on luck. -#}
{% macro quintile(order_by, shop='shop_id') %}
    cast(least(5, 1 + floor(5 * percent_rank() over (partition by {{ shop }} order by {{ order_by }}))) as integer)
{% endmacro %}
