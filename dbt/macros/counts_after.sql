{#- Steps that count after a visit's first view: in order, and within the window, where these are asked for. -#}
{% macro counts_after(instant) -%}
    {%- if var('funnel_in_order') %}
        and acts.occurred_at >= {{ instant }}
    {%- endif %}
    {%- if var('funnel_window_minutes') is not none %}
        and acts.occurred_at <= views.viewed_at + interval '1' minute * ({{ var('funnel_window_minutes') }})
    {%- endif %}
{%- endmacro %}
