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

{#-
    Common tables of the steps of a funnel, each with its first instant: views, carts, checkouts, payments. `first_views` has each
    visit's `viewed_at`; `acts` names the acts that are steps, `checkout_acts` those among which checkouts are. `by` are columns
    beside the visit that have a funnel each, where null is a value.
-#}
{% macro funnel_steps(acts, checkout_acts, by=[]) -%}
    {%- set keys = ['shop_id', 'session_key'] + by -%}
    views as (

        select
            first_views.{{ keys | join(', first_views.') }},
            first_views.viewed_at,
            {{ funnel_rules('first_views.viewed_at') }}
        from first_views
        left join shops on first_views.shop_id = shops.shop_id

    ),

    {% for step in [
        {'name': 'carts', 'of': 'views', 'after': 'viewed_at', 'at': 'added_at', 'type': 'item_added_to_cart'},
        {'name': 'checkouts', 'of': 'carts', 'after': 'added_at', 'at': 'checked_out_at', 'type': 'checkout_started'},
        {'name': 'payments', 'of': 'checkouts', 'after': 'checked_out_at', 'at': 'paid_at', 'type': 'order_paid'},
    ] -%}
        {{ step.name }} as (

            select
                views.{{ keys | join(', views.') }},
                views.is_in_order,
                views.closes_at,
                min(acts.occurred_at) as {{ step.at }}
            from {{ step.of }} as views
            inner join {{ checkout_acts if step.name == 'checkouts' else acts }} as acts
                on {{ is_of_funnel('views', 'acts', [] if step.name == 'checkouts' else by) }}
            where
                acts.type = '{{ step.type }}'
                {{ counts_after('views.' ~ step.after) }}
            group by views.{{ keys | join(', views.') }}, views.is_in_order, views.closes_at

        ){{ ',\n\n' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Whether two rows are of one visit's funnel. -#}
{% macro is_of_funnel(one, other, by=[]) -%}
    {{ one }}.shop_id = {{ other }}.shop_id and {{ one }}.session_key = {{ other }}.session_key
    {%- for column in by %} and {{ one }}.{{ column }} is not distinct from {{ other }}.{{ column }}{% endfor %}
{%- endmacro %}
