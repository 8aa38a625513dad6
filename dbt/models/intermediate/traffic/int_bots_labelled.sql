{{ config(
    materialized=incremental_on_duckdb(),
    pre_hook=["{{ keep_bots_before() }}", "{{ delete_where(is_touched('persons')) }}"],
    post_hook=[
        "{{ reach_changed_bots() }}",
        "{{ touch_days_of_changed_bots('event_days', 'events') }}",
        "{{ touch_days_of_changed_bots('days', 'events') }}",
        "{{ touch_days_of_changed_bots('days', 'sessions') }}",
        "{{ touch_sessions_of_changed_bots() }}"
    ]
) }}

with sessions as (

    select * from {{ ref('stg_lake__sessions') }}
    {{ where_touched('persons') }}

)

select distinct
    shop_id,
    person_id
from sessions
where
    views >= {{ var('bot_min_views') }}
    and adds = 0
    and checkouts = 0
    and orders = 0
    and ended_at <= started_at + interval '1' second * (views * {{ var('bot_max_s_per_view') }})
