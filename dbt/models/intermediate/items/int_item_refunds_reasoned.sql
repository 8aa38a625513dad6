-- Of which items a refund was: those that it names, else every item of its order.
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
        counted.refunded_date,
        counted.reason,
        refund_lines.item_id,
        refund_lines.quantity as units
    from counted
    inner join refund_lines on counted.shop_id = refund_lines.shop_id and counted.refund_id = refund_lines.refund_id
    where refund_lines.item_id is not null

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
        counted.refunded_date,
        counted.reason,
        order_items.item_id,
        cast(null as bigint) as units
    from counted
    inner join order_items on counted.shop_id = order_items.shop_id and counted.order_id = order_items.order_id
    left join naming on counted.shop_id = naming.shop_id and counted.refund_id = naming.refund_id
    where naming.refund_id is null

)

select * from named
union all
select * from of_whole_orders
