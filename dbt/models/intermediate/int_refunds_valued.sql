-- Money goes back at the rate of its order: a whole refund is what was paid in the home currency, to the last unit.
with refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

orders as (

    select * from {{ ref('int_orders_valued') }}

),

counted as (

    select
        refunds.*,
        coalesce(refunds.counted_minor, refunds.amount_minor) as back_minor,
        orders.order_id is not null as has_order,
        orders.is_home,
        orders.paid_minor,
        orders.paid_in_currency_minor,
        sum(cast(coalesce(refunds.counted_minor, refunds.amount_minor) as decimal(38, 0))) over (
            partition by refunds.shop_id, refunds.order_id
            order by refunds.received_at, refunds.refund_id
            rows between unbounded preceding and current row
        ) as upto_minor
    from refunds
    left join orders on refunds.shop_id = orders.shop_id and refunds.order_id = orders.order_id

)

select
    shop_id,
    refund_id,
    order_id,
    refunded_at,
    refunded_date,
    currency,
    amount_minor,
    outcome,
    case
        when back_minor = 0 or not has_order then 0
        when is_home then back_minor
        else
            {{ times_ratio('upto_minor', 'paid_minor', 'paid_in_currency_minor') }}
            - {{ times_ratio('(upto_minor - back_minor)', 'paid_minor', 'paid_in_currency_minor') }}
    end as counted_minor
from counted
