{#-
    Keys at which two CTEs that should be equal are not: each amount is compared to the last unit, and a key that one side lacks
    has zeros there.
-#}
{% macro unequal(first, second, keys, amounts) -%}
select
    {% for key in keys %}
    coalesce({{ first }}.{{ key }}, {{ second }}.{{ key }}) as {{ key }},
    {% endfor %}
    {% for amount in amounts %}
    coalesce({{ first }}.{{ amount }}, 0) as {{ first }}_{{ amount }},
    coalesce({{ second }}.{{ amount }}, 0) as {{ second }}_{{ amount }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ first }}
full outer join {{ second }}
    on {% for key in keys %}{{ first }}.{{ key }} = {{ second }}.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}

where
    {% for amount in amounts %}
    coalesce({{ first }}.{{ amount }}, 0) <> coalesce({{ second }}.{{ amount }}, 0){{ ' or' if not loop.last }}
    {% endfor %}
{% endmacro %}
