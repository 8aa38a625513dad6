{#- A sum of minor units as a 64-bit integer; no rows is no money. -#}
{% macro sum_minor(expression) %}cast(coalesce(sum({{ expression }}), 0) as bigint){% endmacro %}

{#- A count as a 64-bit integer. -#}
{% macro count_where(condition) %}cast(coalesce(sum(case when {{ condition }} then 1 else 0 end), 0) as bigint){% endmacro %}
