-- A day's sessions, and those that paid, are the same in the shop's day, in its funnel and counted one by one.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

funnel_days as (

    select * from {{ ref('fct_funnel_days') }}

),

fct_sessions as (

    select * from {{ ref('fct_sessions') }}

),

sessions as (

    select
        shop_id,
        started_date as shop_date,
        count(*) as sessions,
        count(*) as funnel_sessions,
        sum(case when orders > 0 then 1 else 0 end) as paying_sessions,
        sum(case when views > 0 then 1 else 0 end) as viewed_sessions
    from fct_sessions
    group by shop_id, started_date

),

days as (

    select
        shop_days.shop_id,
        shop_days.shop_date,
        shop_days.sessions,
        funnel_days.sessions as funnel_sessions,
        shop_days.paying_sessions,
        funnel_days.viewed_sessions
    from shop_days
    left join funnel_days on shop_days.shop_id = funnel_days.shop_id and shop_days.shop_date = funnel_days.shop_date

)

{{ unequal(
    'days', 'sessions', ['shop_id', 'shop_date'], ['sessions', 'funnel_sessions', 'paying_sessions', 'viewed_sessions']
) }}
