-- No order gives back more than it took. Only a warning as long as silver has no outcome for such a refund: what one shop's
-- storefront sends must not stop the marts of the others.
{{ config(severity = 'warn') }}

with orders as (

    select * from {{ ref('fct_orders') }}

)

select
    shop_id,
    order_id,
    paid_minor,
    refunded_minor
from orders
where refunded_minor > paid_minor
