-- The outcome of a refund says what is the case: whether its order is known, in which currency it was paid, and what counts.
with refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

orders as (

    select * from {{ ref('stg_lake__orders') }}

),

facts as (

    select
        refunds.shop_id,
        refunds.refund_id,
        refunds.outcome,
        refunds.amount_minor,
        refunds.counted_minor,
        case
            when orders.order_id is null then 'unknown_order'
            when orders.currency <> refunds.currency then 'other_currency'
            when refunds.counted_minor < refunds.amount_minor then 'over_refund'
            else 'counted'
        end as expected
    from refunds
    left join orders on refunds.shop_id = orders.shop_id and refunds.order_id = orders.order_id

)

select *
from facts
where
    outcome <> expected
    or counted_minor < 0
    or counted_minor > amount_minor
    or (outcome in ('unknown_order', 'other_currency') and counted_minor <> 0)
