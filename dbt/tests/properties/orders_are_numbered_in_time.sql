-- The orders of a person count up from 1 without a gap, and a later number is not of an earlier instant. Orders whose buyer
-- nobody knows have no number, and are neither a first order nor a repeat one.
with orders as (

    select * from {{ ref('fct_orders') }}

),

compared as (

    select
        shop_id,
        order_id,
        paid_at,
        order_number,
        is_repeat,
        lag(order_number) over (partition by shop_id, person_id order by order_number) as number_before,
        lag(paid_at) over (partition by shop_id, person_id order by order_number) as paid_before
    from orders
    where person_id is not null

)

select
    shop_id,
    order_id,
    order_number
from compared
where
    order_number <> coalesce(number_before, 0) + 1
    or paid_at < paid_before
    or is_repeat <> (number_before is not null)
union all
select
    shop_id,
    order_id,
    order_number
from orders
where person_id is null and (order_number is not null or is_repeat is not null)
