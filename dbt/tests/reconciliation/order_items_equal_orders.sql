-- The items of an order have all of it: pieces, every discount, what was paid but for the shipping, and of the refunds all that
-- the goods were paid with.
with order_items as (

    select * from {{ ref('fct_order_items') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

by_order as (

    select
        shop_id,
        order_id,
        units,
        gross_minor,
        line_discount_minor,
        order_discount_minor,
        paid_minor - shipping_minor as revenue_minor,
        least(refunded_minor, greatest(0, paid_minor - shipping_minor)) as refunded_minor
    from orders

),

by_items as (

    select
        shop_id,
        order_id,
        sum(units) as units,
        sum(gross_minor) as gross_minor,
        sum(line_discount_minor) as line_discount_minor,
        sum(order_discount_minor) as order_discount_minor,
        sum(revenue_minor) as revenue_minor,
        sum(revenue_minor - net_revenue_minor) as refunded_minor
    from order_items
    group by shop_id, order_id

)

{{ unequal(
    'by_order', 'by_items', ['shop_id', 'order_id'],
    ['units', 'gross_minor', 'line_discount_minor', 'order_discount_minor', 'revenue_minor', 'refunded_minor']
) }}
