-- What customers spent is what the items of their orders and the shipping kept of it.
with dim_customers as (

    select * from {{ ref('dim_customers') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

customers as (

    select
        shop_id,
        sum(spent_minor) as spent_minor
    from dim_customers
    group by shop_id

),

goods as (

    select
        shop_id,
        order_id,
        sum(net_revenue_minor) as net_minor,
        sum(refunded_minor) as refunded_minor
    from order_items
    group by shop_id, order_id

),

items as (

    select
        orders.shop_id,
        sum(goods.net_minor + orders.shipping_minor - (orders.refunded_minor - goods.refunded_minor)) as spent_minor
    from orders
    inner join goods on orders.shop_id = goods.shop_id and orders.order_id = goods.order_id
    where orders.person_id is not null
    group by orders.shop_id

)

{{ unequal('customers', 'items', ['shop_id'], ['spent_minor']) }}
