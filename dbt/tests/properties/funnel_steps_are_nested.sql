-- No funnel step holds more sessions than the one before it, and its last no more than the sessions that paid.
with funnel_days as (

    select * from {{ ref('fct_funnel_days') }}

),

shop_days as (

    select * from {{ ref('fct_shop_days') }}

)

select
    funnel_days.shop_id,
    funnel_days.shop_date
from funnel_days
left join shop_days on funnel_days.shop_id = shop_days.shop_id and funnel_days.shop_date = shop_days.shop_date
where
    funnel_days.viewed_sessions > funnel_days.sessions
    or funnel_days.cart_sessions > funnel_days.viewed_sessions
    or funnel_days.checkout_sessions > funnel_days.cart_sessions
    or funnel_days.paid_sessions > funnel_days.checkout_sessions
    or funnel_days.paid_sessions > coalesce(shop_days.paying_sessions, 0)
