-- Each refund by which something of its order's currency came back has a reason for at least one item of the order, whatever it
-- is worth at home, no other refund has one, and no more pieces come back than were ordered.
with reasons as (

    select * from {{ ref('int_item_refunds_reasoned') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

-- What a refund gave back in its own currency, which may be worth less than a unit at home.
as_they_came as (

    select * from {{ ref('stg_lake__refunds') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

returned as (

    select
        shop_id,
        order_id,
        item_id,
        sum(units) as units
    from reasons
    group by shop_id, order_id, item_id

),

impossible as (

    select
        reasons.shop_id,
        reasons.refund_id,
        reasons.item_id
    from reasons
    left join returned
        on reasons.shop_id = returned.shop_id
        and reasons.order_id = returned.order_id
        and reasons.item_id = returned.item_id
    left join order_items
        on reasons.shop_id = order_items.shop_id
        and reasons.order_id = order_items.order_id
        and reasons.item_id = order_items.item_id
    where reasons.units < 0 or order_items.units is null or returned.units > order_items.units

),

by_reason as (

    select
        reasons.shop_id,
        reasons.refunded_date,
        count(distinct reasons.refund_id) as refunds,
        count(impossible.refund_id) as impossible_lines
    from reasons
    left join impossible
        on reasons.shop_id = impossible.shop_id
        and reasons.refund_id = impossible.refund_id
        and reasons.item_id = impossible.item_id
    group by reasons.shop_id, reasons.refunded_date

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
        0 as impossible_lines
    from refunds
    inner join orders on refunds.shop_id = orders.shop_id and refunds.order_id = orders.order_id
    inner join as_they_came
        on refunds.shop_id = as_they_came.shop_id and refunds.refund_id = as_they_came.refund_id
    where refunds.outcome in ('counted', 'over_refund') and as_they_came.counted_minor > 0
    group by refunds.shop_id, refunds.refunded_date

)

{{ unequal('by_reason', 'by_day', ['shop_id', 'refunded_date'], ['refunds', 'impossible_lines']) }}
