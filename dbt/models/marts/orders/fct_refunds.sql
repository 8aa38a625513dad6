with refunds as (

    select * from {{ ref('int_refunds_valued') }}

)

select
    shop_id,
    refund_id,
    order_id,
    refunded_at,
    refunded_date,
    currency,
    amount_minor as amount_in_currency_minor,
    outcome,
    cast(counted_minor as bigint) as counted_minor
from refunds
