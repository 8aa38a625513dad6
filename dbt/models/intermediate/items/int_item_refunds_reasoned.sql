-- Of which items a refund was: those of its order that it names, else all of them. What several refunds name is no more than
-- the order has.
with refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

refund_lines as (

    select * from {{ ref('stg_lake__refund_lines') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

counted as (

    select * from refunds
    where outcome in ('counted', 'over_refund') and counted_minor > 0

),

named as (

    select
        counted.shop_id,
        counted.refund_id,
        counted.order_id,
        counted.refunded_date,
        counted.reason,
        refund_lines.item_id,
        refund_lines.quantity,
        order_items.units as ordered,
        sum(refund_lines.quantity) over (
            partition by counted.shop_id, counted.order_id, refund_lines.item_id
            order by counted.received_at, counted.refund_id
            rows between unbounded preceding and current row
        ) as upto
    from counted
    inner join refund_lines on counted.shop_id = refund_lines.shop_id and counted.refund_id = refund_lines.refund_id
    inner join order_items
        on counted.shop_id = order_items.shop_id
        and counted.order_id = order_items.order_id
        and refund_lines.item_id = order_items.item_id

),

naming as (

    select distinct
        shop_id,
        refund_id
    from named

),

of_whole_orders as (

    select
        counted.shop_id,
        counted.refund_id,
        counted.order_id,
        counted.refunded_date,
        counted.reason,
        order_items.item_id,
        cast(null as bigint) as units
    from counted
    inner join order_items on counted.shop_id = order_items.shop_id and counted.order_id = order_items.order_id
    left join naming on counted.shop_id = naming.shop_id and counted.refund_id = naming.refund_id
    where naming.refund_id is null

)

select
    shop_id,
    refund_id,
    order_id,
    refunded_date,
    reason,
    item_id,
    cast(least(upto, ordered) - least(upto - quantity, ordered) as bigint) as units
from named
union all
select * from of_whole_orders
