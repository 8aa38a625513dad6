-- What a shop's items were paid with, and the shipping, is what it sold that day; and all that went back by now went back for
-- items or for shipping.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

days as (

    select
        shop_id,
        shop_date,
        units,
        gross_minor,
        line_discount_minor,
        order_discount_minor,
        gmv_minor - shipping_minor as revenue_minor
    from shop_days

),

items as (

    select
        orders.shop_id,
        orders.paid_date as shop_date,
        sum(order_items.units) as units,
        sum(order_items.gross_minor) as gross_minor,
        sum(order_items.line_discount_minor) as line_discount_minor,
        sum(order_items.order_discount_minor) as order_discount_minor,
        sum(order_items.revenue_minor) as revenue_minor
    from order_items
    inner join orders on order_items.shop_id = orders.shop_id and order_items.order_id = orders.order_id
    group by orders.shop_id, orders.paid_date

)

{{ unequal(
    'days', 'items', ['shop_id', 'shop_date'],
    ['units', 'gross_minor', 'line_discount_minor', 'order_discount_minor', 'revenue_minor']
) }}
