with orders as (

    select * from {{ ref('stg_lake__orders') }}

),

refunds as (

    select * from {{ ref('int_refunds_summed') }}

),

numbered as (

    select
        orders.*,
        coalesce(refunds.refunded_minor, 0) as refunded_minor,
        row_number() over (
            partition by orders.shop_id, orders.person_id order by orders.paid_at, orders.order_id
        ) as order_number
    from orders
    left join refunds on orders.shop_id = refunds.shop_id and orders.order_id = refunds.order_id

)

select
    shop_id,
    order_id,
    person_id,
    paid_at,
    paid_date,
    currency,
    lines,
    units,
    gross_minor,
    discount_minor,
    shipping_minor,
    paid_minor,
    cast(refunded_minor as bigint) as refunded_minor,
    cast(paid_minor - refunded_minor as bigint) as net_minor,
    cast(order_number as bigint) as order_number,
    order_number > 1 as is_repeat,
    channel,
    campaign,
    share_id,
    group_buy_id
from numbered
