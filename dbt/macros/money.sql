{#- An exact sum of minor units (or of quantities); no rows, or none with an amount, is no money. No number of rows overflows
    38 digits. -#}
{% macro sum_minor(expression) %}
    cast(coalesce(sum(cast({{ expression }} as decimal(38, 0))), 0) as decimal(38, 0))
{% endmacro %}

{#- A sum of the amounts of orders: unknown where there are orders and none of them has an amount. -#}
{% macro sum_minor_of_orders(expression, orders, priced_orders) %}
    case when coalesce(sum({{ orders }}), 0) = 0 or sum({{ priced_orders }}) > 0 then {{ sum_minor(expression) }} end
{% endmacro %}

{#- The same as a 64-bit integer for daily features, cut to the bounds that features have (jishi.features.declaration). -#}
{% macro sum_of_feature(expression) %}
    cast(least(
        {{ most_of_feature() }}, greatest(-{{ most_of_feature() }}, {{ sum_minor(expression) }})
    ) as bigint)
{% endmacro %}

{% macro most_of_feature() %}cast(9223372036854775807 as decimal(38, 0)){% endmacro %}

{#- An exact sum of amounts, of which some may be unknown for want of a rate: null where none is known. -#}
{% macro sum_known_minor(expression) %}
    cast(sum(cast({{ expression }} as decimal(38, 0))) as decimal(38, 0))
{% endmacro %}

{#- An amount of a CTE that was joined by shop: nothing where it has no row, and null where its amounts are unknown. -#}
{% macro zero_without(rows, amount) %}
    cast(case when {{ rows }}.shop_id is null then 0 else {{ rows }}.{{ amount }} end as decimal(38, 0))
{% endmacro %}

{#- A count as a 64-bit integer. -#}
{% macro count_where(condition) %}cast(coalesce(sum(case when {{ condition }} then 1 else 0 end), 0) as bigint){% endmacro %}

{#-
    A whole number times numerator / denominator, rounded half to even; null where that is more than an amount may be. Exact in
    128 bits, as jishi.fx_rates computes it.
-#}
{% macro times_ratio(number, numerator, denominator) -%}
    {%- set wide = 'decimal(38, 0)' if target.type == 'spark' else 'hugeint' -%}
    {%- set above = '(cast(' ~ number ~ ' as ' ~ wide ~ ') * cast(' ~ numerator ~ ' as ' ~ wide ~ '))' -%}
    {%- set below = 'cast(' ~ denominator ~ ' as ' ~ wide ~ ')' -%}
    {{ rounded_ratio(above, below, 'div' if target.type == 'spark' else '//', wide) }}
{%- endmacro %}

{% macro rounded_ratio(above, below, divide, wide) -%}
    case
        when {{ above }} <= cast(9007199254740991 as {{ wide }}) * {{ below }}
            then cast({{ above }} {{ divide }} {{ below }} + case
                when 2 * ({{ above }} % {{ below }}) > {{ below }} then 1
                when 2 * ({{ above }} % {{ below }}) = {{ below }} and ({{ above }} {{ divide }} {{ below }}) % 2 = 1 then 1
                else 0
            end as bigint)
    end
{%- endmacro %}

{#- An amount in a currency by the rate of its row, which has numerator and denominator. -#}
{% macro in_home(minor) %}{{ times_ratio(minor, 'numerator', 'denominator') }}{% endmacro %}
