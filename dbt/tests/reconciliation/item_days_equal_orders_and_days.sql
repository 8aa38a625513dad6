-- The items of a day have what its orders were paid for but the shipping, and what goods of them were refunded; their views are
-- those of the day.
with item_days as (

    select * from {{ ref('fct_item_days') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

of_items as (

    select
        shop_id,
        shop_date,
        sum(units) as units,
        sum(revenue_minor) as revenue_minor,
        sum(refunded_minor) as refunded_minor,
        sum(net_revenue_minor) as net_revenue_minor,
        sum(views) as views
    from item_days
    group by shop_id, shop_date

),

of_orders as (

    select
        shop_id,
        paid_date as shop_date,
        sum(units) as units,
        sum(paid_minor - shipping_minor) as revenue_minor,
        sum(least(refunded_minor, greatest(0, paid_minor - shipping_minor))) as refunded_minor
    from orders
    group by shop_id, paid_date

),

days as (

    select
        shop_days.shop_id,
        shop_days.shop_date,
        coalesce(of_orders.units, 0) as units,
        coalesce(of_orders.revenue_minor, 0) as revenue_minor,
        coalesce(of_orders.refunded_minor, 0) as refunded_minor,
        coalesce(of_orders.revenue_minor, 0) - coalesce(of_orders.refunded_minor, 0) as net_revenue_minor,
        shop_days.item_views as views
    from shop_days
    left join of_orders on shop_days.shop_id = of_orders.shop_id and shop_days.shop_date = of_orders.shop_date

)

{{ unequal(
    'of_items', 'days', ['shop_id', 'shop_date'], ['units', 'revenue_minor', 'refunded_minor', 'net_revenue_minor', 'views']
) }}
