-- Nothing is sold, taken off or given back for less than nothing.
with orders as (

    select * from {{ ref('fct_orders') }}

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
