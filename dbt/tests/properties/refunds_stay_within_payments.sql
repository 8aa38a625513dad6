-- No order gives back more than it took, neither in the home currency nor as it was paid, and no more of an item than it cost.
with orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

refund_lines as (

    select * from {{ ref('stg_lake__refund_lines') }}

),

order_lines as (

    select * from {{ ref('stg_lake__order_lines') }}

),

back as (

    select
        shop_id,
        order_id,
        sum(counted_minor) as back_minor
    from refunds
    group by shop_id, order_id

),

items_back as (

    select
        shop_id,
        order_id,
        item_id,
        sum(counted_minor) as back_minor
    from refund_lines
    group by shop_id, order_id, item_id

),

items_paid as (

    select
        shop_id,
        order_id,
        item_id,
        sum(net_minor) as net_minor
    from order_lines
    group by shop_id, order_id, item_id

)

select
    orders.shop_id,
    orders.order_id,
    orders.paid_in_currency_minor as paid_minor,
    back.back_minor
from orders
inner join back on orders.shop_id = back.shop_id and orders.order_id = back.order_id
where back.back_minor > orders.paid_in_currency_minor or orders.refunded_minor > orders.paid_minor
union all
select
    items_back.shop_id,
    items_back.order_id,
    coalesce(items_paid.net_minor, 0) as paid_minor,
    items_back.back_minor
from items_back
left join items_paid
    on items_back.shop_id = items_paid.shop_id
    and items_back.order_id = items_paid.order_id
    and items_back.item_id = items_paid.item_id
where items_back.back_minor > coalesce(items_paid.net_minor, 0)
