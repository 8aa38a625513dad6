-- No funnel step holds more visits than the one before it, and those that went through it all are among those that paid.
with funnel_days as (

    select * from {{ ref('fct_funnel_days') }}

)

select
    shop_id,
    shop_date
from funnel_days
where
    viewed_sessions > sessions
    or cart_sessions > viewed_sessions
    or checkout_sessions > cart_sessions
    or paid_sessions > checkout_sessions
    or paid_sessions + paid_without_cart_sessions + paid_otherwise_sessions <> paying_sessions
    or paid_without_cart_sessions > viewed_sessions
    or paying_sessions > sessions
