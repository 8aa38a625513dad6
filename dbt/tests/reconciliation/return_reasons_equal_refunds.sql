-- Each refund of a period that counts has a reason for at least one item of its order, and no other refund has one.
with reasons as (

    select * from {{ ref('int_item_refunds_reasoned') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

by_reason as (

    select
        shop_id,
        refunded_date,
        count(distinct refund_id) as refunds,
        sum(case when units < 1 then 1 else 0 end) as empty_lines
    from reasons
    group by shop_id, refunded_date

),

orders as (

    select distinct
        shop_id,
        order_id
    from order_items

),

by_day as (

    select
        refunds.shop_id,
        refunds.refunded_date,
        count(*) as refunds,
        0 as empty_lines
    from refunds
    inner join orders on refunds.shop_id = orders.shop_id and refunds.order_id = orders.order_id
    where refunds.outcome in ('counted', 'over_refund') and coalesce(refunds.counted_minor, 1) <> 0
    group by refunds.shop_id, refunds.refunded_date

)

{{ unequal('by_reason', 'by_day', ['shop_id', 'refunded_date'], ['refunds', 'empty_lines']) }}
