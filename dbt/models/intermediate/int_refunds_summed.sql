with refunds as (

    select * from {{ ref('int_refunds_valued') }}

),

as_they_came as (

    select * from {{ ref('stg_lake__refunds') }}

),

-- What a refund of an unknown order or in another currency says belongs to no order's sums.
counted as (

    select
        refunds.shop_id,
        refunds.order_id,
        refunds.counted_minor,
        refunds.refunded_date,
        coalesce(as_they_came.counted_minor, as_they_came.amount_minor) as in_currency_minor
    from refunds
    inner join as_they_came on refunds.shop_id = as_they_came.shop_id and refunds.refund_id = as_they_came.refund_id

)

select
    shop_id,
    order_id,
    {{ sum_minor('counted_minor') }} as refunded_minor,
    {{ sum_minor('in_currency_minor') }} as refunded_in_currency_minor,
    {{ count_where('in_currency_minor > 0') }} as refunds,
    max(case when in_currency_minor > 0 then refunded_date end) as last_refunded_date
from counted
group by shop_id, order_id
