-- An average lies between the smallest and the largest of what it averages (but for the rounding of a double), and a share
-- between none and all.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

extremes as (

    select
        shop_id,
        paid_date,
        min(paid_minor) as least_minor,
        max(paid_minor) as most_minor
    from fct_orders
    group by shop_id, paid_date

)

select
    shop_days.shop_id,
    shop_days.shop_date,
    shop_days.order_value_minor,
    shop_days.conversion,
    shop_days.repurchase_rate_30d
from shop_days
left join extremes on shop_days.shop_id = extremes.shop_id and shop_days.shop_date = extremes.paid_date
where
    coalesce(shop_days.order_value_minor, 0) * 1.000000001 < coalesce(extremes.least_minor, 0)
    or coalesce(shop_days.order_value_minor, 0) > coalesce(extremes.most_minor, 0) * 1.000000001
    or shop_days.customer_value_minor * 1.000000001 < extremes.least_minor
    or shop_days.customer_value_minor > shop_days.gmv_minor * 1.000000001
    or coalesce(shop_days.conversion, 0) not between 0 and 1
    or coalesce(shop_days.refund_rate_by_payment_day, 0) not between 0 and 1
    or coalesce(shop_days.refund_rate_by_refund_day, 0) < 0
    or coalesce(shop_days.repurchase_rate_7d, 0) not between 0 and 1
    or coalesce(shop_days.repurchase_rate_30d, 0) not between 0 and 1
    or coalesce(shop_days.repurchase_rate_90d, 0) not between 0 and 1
    or coalesce(shop_days.repurchase_rate_365d, 0) not between 0 and 1
    or (shop_days.order_value_minor is null) <> (extremes.most_minor is null)
    or (shop_days.units_per_order is null) <> (shop_days.orders = 0)
