{#- Epoch milliseconds of a UTC instant; on Spark TIMESTAMP means one without a zone, and the session's zone is UTC. -#}
{% macro epoch_ms(instant) -%}
    {%- if target.type == 'spark' -%}
        unix_millis(cast({{ instant }} as timestamp_ltz))
    {%- else -%}
        epoch_ms({{ instant }})
    {%- endif -%}
{%- endmacro %}
