-- A day is compared with all of another day, or, while it is not over, with no more than that; with nothing where the shop was
-- not known yet.
with comparisons as (

    select * from {{ ref('fct_shop_day_comparisons') }}

),

shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

facts as (

    select
        comparisons.*,
        today.is_complete,
        other.visitors as day_visitors,
        other.item_views as day_item_views,
        other.sessions as day_sessions,
        other.paying_sessions as day_paying_sessions,
        other.orders as day_orders,
        other.paying_customers as day_customers,
        other.gmv_minor as day_gmv_minor,
        other.net_gmv_minor as day_net_gmv_minor,
        other.refunds_minor as day_refunds_minor
    from comparisons
    left join shop_days as today
        on comparisons.shop_id = today.shop_id and comparisons.shop_date = today.shop_date
    left join shop_days as other
        on comparisons.shop_id = other.shop_id and comparisons.compared_date = other.shop_date

)

select
    shop_id,
    shop_date,
    compared_with
from facts
where
    is_complete is null
    or (orders is null) <> (day_orders is null)
    or (is_complete and (gmv_minor is null) <> (day_gmv_minor is null))
    or (visitors is null) <> (day_visitors is null)
    or (sessions is null) <> (day_sessions is null)
    or visitors > day_visitors
    or item_views > day_item_views
    or sessions > day_sessions
    or paying_sessions > day_paying_sessions
    or paying_sessions > sessions
    or orders > day_orders
    or paying_customers > day_customers
    or gmv_minor > day_gmv_minor
    or refunds_minor > day_refunds_minor
    or (is_complete and (visitors <> day_visitors or sessions <> day_sessions or paying_sessions <> day_paying_sessions))
    or (is_complete and (orders <> day_orders or gmv_minor <> day_gmv_minor or net_gmv_minor <> day_net_gmv_minor))
    or (is_complete and until_at is not null)
