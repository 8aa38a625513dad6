-- An order in the shop's own currency has all amounts in it; one in another has all of them or none.
with orders as (

    select * from {{ ref('fct_orders') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

)

select
    orders.shop_id,
    orders.order_id,
    orders.currency
from orders
inner join shops on orders.shop_id = shops.shop_id
where
    (orders.paid_minor is null and orders.currency = shops.currency)
    or (orders.paid_minor is null) <> (orders.gross_minor is null)
    or (orders.paid_minor is null) <> (orders.discount_minor is null)
    or (orders.paid_minor is null) <> (orders.shipping_minor is null)
    or (orders.paid_minor is null) <> (orders.refunded_minor is null)
    or (orders.paid_minor is null) <> (orders.order_discount_minor is null)
    or orders.order_discount_minor < 0
