{#- What a shop set about its funnel (jishi/funnel_rules.py): steps in order only or not, and until when after a view. -#}
{% macro funnel_rules(viewed_at) -%}
    coalesce(shops.funnel_in_order, true) as is_in_order,
    {{ viewed_at }} + interval '1' minute * shops.funnel_window_minutes as closes_at
{%- endmacro %}

{#- Steps that count after a visit's first view: in order, and within the window, where its shop asks for these. -#}
{% macro counts_after(instant) -%}
    and (not views.is_in_order or acts.occurred_at >= {{ instant }})
        and (views.closes_at is null or acts.occurred_at <= views.closes_at)
{%- endmacro %}
