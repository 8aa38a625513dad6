{#- What a clock in a time zone shows at a UTC instant. -#}
{% macro local_time(instant, zone) -%}
    {%- if target.type == 'spark' -%}
        convert_timezone('UTC', {{ zone }}, {{ instant }})
    {%- else -%}
        timezone({{ zone }}, timezone('UTC', {{ instant }}))
    {%- endif -%}
{%- endmacro %}

{#- The calendar date of a UTC instant in a time zone. -#}
{% macro local_date(instant, zone) -%}
    cast({{ local_time(instant, zone) }} as date)
{%- endmacro %}

{#-
    The UTC instant at which a clock in a time zone shows a time; where clocks are put forward over it, the first one after, and
    where they are put back over it, the first of both. DuckDB takes the second one, and LEAST leaves nulls out.
-#}
{% macro instant_of(local, zone) -%}
    {%- if target.type == 'spark' -%}
        convert_timezone({{ zone }}, 'UTC', {{ local }})
    {%- else -%}
        {%- set instants = ["timezone('UTC', timezone(" ~ zone ~ ", " ~ local ~ "))"] -%}
        {%- for minutes in (30, 60, 120) -%}
            {%- set before = "(" ~ instants[0] ~ " - interval '" ~ minutes ~ "' minute)" -%}
            {%- do instants.append("case when " ~ local_time(before, zone) ~ " = " ~ local ~ " then " ~ before ~ " end") -%}
        {%- endfor -%}
        least({{ instants | join(', ') }})
    {%- endif -%}
{%- endmacro %}

{#- The share of a day that is over at an instant, 1 of a whole one; of one that has hardly begun, an hour's. -#}
{% macro share_until(instant, starts_at, ends_at) -%}
    least(1.0, greatest(
        cast({{ epoch_ms(instant) }} - {{ epoch_ms(starts_at) }} as double),
        3600000.0
    ) / cast({{ epoch_ms(ends_at) }} - {{ epoch_ms(starts_at) }} as double))
{%- endmacro %}

{#- As a column of a select: one row for each midnight from a date to another, both included. -#}
{% macro each_midnight(first, last) -%}
    {%- if target.type == 'spark' -%}
        explode(sequence({{ first }}, {{ last }}, interval '1' day))
    {%- else -%}
        unnest(generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1' day))
    {%- endif -%}
{%- endmacro %}
