{#- The calendar date of a UTC instant in a time zone. -#}
{% macro local_date(instant, zone) -%}
    {%- if target.type == 'spark' -%}
        cast(convert_timezone('UTC', {{ zone }}, {{ instant }}) as date)
    {%- else -%}
        cast(timezone({{ zone }}, timezone('UTC', {{ instant }})) as date)
    {%- endif -%}
{%- endmacro %}
