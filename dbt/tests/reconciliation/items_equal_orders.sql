-- Pieces and revenue of a shop's items, and of what it sold outside its catalogue, are those of its orders without shipping,
-- also after refunds, which goods take before the shipping does.
with dim_items as (

    select * from {{ ref('dim_items') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

parts as (

    select
        shop_id,
        units,
        revenue_minor,
        net_revenue_minor
    from dim_items
    union all
    select
        order_items.shop_id,
        order_items.units,
        order_items.revenue_minor,
        order_items.net_revenue_minor
    from order_items
    left join dim_items on order_items.shop_id = dim_items.shop_id and order_items.item_id = dim_items.item_id
    where dim_items.item_id is null

),

items as (

    select
        shop_id,
        sum(units) as units,
        sum(revenue_minor) as revenue_minor,
        sum(net_revenue_minor) as net_revenue_minor
    from parts
    group by shop_id

),

shop_orders as (

    select
        shop_id,
        sum(units) as units,
        sum(paid_minor - shipping_minor) as revenue_minor,
        sum(paid_minor - shipping_minor - least(refunded_minor, greatest(0, paid_minor - shipping_minor))) as net_revenue_minor
    from orders
    group by shop_id

)

{{ unequal('items', 'shop_orders', ['shop_id'], ['units', 'revenue_minor', 'net_revenue_minor']) }}
