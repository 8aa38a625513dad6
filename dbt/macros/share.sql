{#-
    An amount allotted by weights with no unit lost (largest remainder): each gets its exact share rounded down, and the units
    that are left go to the largest remainders. Exact in 128 bits. Weights are whole numbers, none below 0, together not below
    the amount.
-#}
{% macro share_rounded_down(amount, weight, total) -%}
    {%- set wide = 'decimal(38, 0)' if target.type == 'spark' else 'hugeint' -%}
    cast(coalesce(
        cast({{ amount }} as {{ wide }}) * cast({{ weight }} as {{ wide }})
        {{ 'div' if target.type == 'spark' else '//' }} cast(nullif({{ total }}, 0) as {{ wide }}), 0
    ) as bigint)
{%- endmacro %}

{% macro share_remainder(amount, weight, total) -%}
    {%- set wide = 'decimal(38, 0)' if target.type == 'spark' else 'hugeint' -%}
    coalesce(
        cast({{ amount }} as {{ wide }}) * cast({{ weight }} as {{ wide }}) % cast(nullif({{ total }}, 0) as {{ wide }}), 0
    )
{%- endmacro %}

{#- Of rows with an amount, its share rounded down and a remainder: the share; `of` are the columns that share an amount. -#}
{% macro share(amount, rounded_down, remainder, of, by) -%}
    {{ rounded_down }} + case
        when row_number() over (partition by {{ of | join(', ') }} order by {{ remainder }} desc, {{ by }})
            <= {{ amount }} - sum({{ rounded_down }}) over (partition by {{ of | join(', ') }}) then 1
        else 0
    end
{%- endmacro %}
