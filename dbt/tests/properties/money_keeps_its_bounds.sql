-- Nothing is sold, taken off or given back for less than nothing.
with orders as (

    select * from {{ ref('fct_orders') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

)

select
    shop_id,
    order_id,
    gross_minor,
    discount_minor,
    shipping_minor,
    paid_minor,
    refunded_minor
from orders
where
    gross_minor < 0
    or discount_minor < 0
    or shipping_minor < 0
    or paid_minor < 0
    or refunded_minor < 0
    or units < 0
union all
select
    shop_id,
    order_id,
    gross_minor,
    order_discount_minor as discount_minor,
    0 as shipping_minor,
    revenue_minor as paid_minor,
    refunded_minor
from order_items
where
    order_discount_minor < 0
    or revenue_minor < 0
    or refunded_minor < 0
    or net_revenue_minor < 0
