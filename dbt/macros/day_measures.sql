{#- What was sold, over rows of fct_orders; a day and a part of a day add up the same. -#}
{% macro sales_measures() -%}
    cast(count(*) as bigint) as orders,
    {{ count_where('paid_minor is null') }} as orders_without_rate,
    cast(count(distinct person_id) as bigint) as paying_customers,
    {{ sum_minor('units') }} as units,
    {{ sum_known_minor('paid_minor') }} as gmv_minor
{%- endmacro %}

{#- What was paid back, over rows of int_refunds_valued. -#}
{% macro refund_measures() -%}
    {{ sum_known_minor('counted_minor') }} as refunds_minor
{%- endmacro %}

{#- Sales less refunds of two CTEs of these measures, as far as they are known; null where there are some and none is. -#}
{% macro net_sales_minor() %}
    cast(case
        when coalesce(sales.shop_id, returned.shop_id) is null or coalesce(sales.gmv_minor, returned.refunds_minor) is not null
            then coalesce(sales.gmv_minor, 0) - coalesce(returned.refunds_minor, 0)
    end as decimal(38, 0))
{% endmacro %}

{#- Customers whose amounts are known, and what they paid, over rows of fct_orders. -#}
{% macro customer_measures() -%}
    cast(count(distinct case when paid_minor is not null then person_id end) as bigint) as customers_with_amount,
    sum(case when person_id is not null then cast(paid_minor as decimal(38, 0)) end) as paid_by_customers_minor
{%- endmacro %}
