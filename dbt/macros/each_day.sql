{#- As a column of a select: one row for each day from a date to another, both included. -#}
{% macro each_day(first, last) -%}
    {%- if target.type == 'spark' -%}
        explode(sequence({{ first }}, {{ last }}, interval '1' day))
    {%- else -%}
        unnest(generate_series({{ first }}, {{ last }}, interval '1' day))
    {%- endif -%}
{%- endmacro %}
