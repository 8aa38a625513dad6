{#- What was seen and sold, over rows of fct_item_days or of what adds up to them. -#}
{% macro item_measures(rows=none) -%}
    {%- set of = rows ~ '.' if rows else '' -%}
    cast(sum({{ of }}views) as bigint) as views,
    cast(sum({{ of }}adds) as bigint) as adds,
    cast(sum({{ of }}viewed_visits) as bigint) as viewed_visits,
    cast(sum({{ of }}paid_visits) as bigint) as paid_visits,
    cast(sum({{ of }}orders) as bigint) as orders,
    cast(sum({{ of }}orders_without_rate) as bigint) as orders_without_rate,
    {{ sum_minor(of ~ 'units') }} as units,
    {% for name in ['revenue_minor', 'refunded_minor', 'net_revenue_minor'] -%}
    {{ sum_minor_of_orders(of ~ name, of ~ 'orders', of ~ 'orders - ' ~ of ~ 'orders_without_rate') }} as {{ name }},
    {% endfor -%}
    cast(sum({{ of }}returned_orders) as bigint) as returned_orders,
    {{ sum_minor(of ~ 'returned_units') }} as returned_units
{%- endmacro %}

{#- The same of a group of items that may have none of them, with its rates; `periods` says whether visits are known in it. -#}
{% macro item_group_measures(rows, periods) -%}
    {% for name in ['views', 'adds', 'viewed_visits', 'paid_visits'] -%}
    case when {{ periods }}.has_storefront then coalesce({{ rows }}.{{ name }}, 0) end as {{ name }},
    {% endfor -%}
    {% for name in ['orders', 'orders_without_rate', 'returned_orders'] -%}
    coalesce({{ rows }}.{{ name }}, 0) as {{ name }},
    {% endfor -%}
    {% for name in ['units', 'returned_units'] -%}
    cast(coalesce({{ rows }}.{{ name }}, 0) as decimal(38, 0)) as {{ name }},
    {% endfor -%}
    {% for name in ['revenue_minor', 'refunded_minor', 'net_revenue_minor'] -%}
    cast(case when {{ rows }}.orders > 0 then {{ rows }}.{{ name }} else 0 end as decimal(38, 0)) as {{ name }},
    {% endfor -%}
    {{ ratio(rows ~ '.paid_visits', rows ~ '.viewed_visits') }} as view_to_pay_rate,
    {{ ratio(rows ~ '.returned_orders', rows ~ '.orders') }} as return_rate
{%- endmacro %}

{#- One number as a share of another; null where that is nothing. -#}
{% macro ratio(above, below) %}cast({{ above }} as double) / nullif(cast({{ below }} as double), 0){% endmacro %}
