-- No funnel step holds more visits than the one before it, and those that went through it all are among those that paid.
with funnel_days as (

    select * from {{ ref('fct_funnel_days') }}

),

visit_categories as (

    select * from {{ ref('fct_visit_categories') }}

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
union all
select
    shop_id,
    started_date
from visit_categories
where has_paid and not has_checked_out or has_checked_out and not has_added
