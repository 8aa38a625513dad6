-- A day's visits, those that paid and those of bots are the same in the shop's day, in its funnel and counted one by one.
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
        sum(case when is_bot then 0 else 1 end) as sessions,
        sum(case when is_bot then 0 else 1 end) as funnel_sessions,
        sum(case when orders > 0 and not is_bot then 1 else 0 end) as paying_sessions,
        sum(case when orders > 0 and not is_bot then 1 else 0 end) as funnel_paying_sessions,
        sum(case when views > 0 and not is_bot then 1 else 0 end) as viewed_sessions,
        sum(case when is_bot then 1 else 0 end) as bot_sessions
    from fct_sessions
    where is_visit
    group by shop_id, started_date

),

funnels as (

    select
        shop_id,
        shop_date,
        sum(sessions) as sessions,
        sum(paying_sessions) as paying_sessions,
        sum(viewed_sessions) as viewed_sessions
    from funnel_days
    group by shop_id, shop_date

),

days as (

    select
        shop_days.shop_id,
        shop_days.shop_date,
        shop_days.sessions,
        shop_days.paying_sessions,
        shop_days.bot_sessions,
        funnels.sessions as funnel_sessions,
        funnels.paying_sessions as funnel_paying_sessions,
        funnels.viewed_sessions
    from shop_days
    left join funnels on shop_days.shop_id = funnels.shop_id and shop_days.shop_date = funnels.shop_date

)

{{ unequal(
    'days', 'sessions', ['shop_id', 'shop_date'],
    ['sessions', 'funnel_sessions', 'paying_sessions', 'funnel_paying_sessions', 'viewed_sessions', 'bot_sessions']
) }}
