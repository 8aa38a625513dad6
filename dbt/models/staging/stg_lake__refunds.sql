with source as (

    select * from {{ source('lake', 'refunds') }}

)

select
    shop_id,
    refund_id,
    order_id,
    refunded_at,
    refunded_date,
    received_at,
    currency,
    amount_minor,
    reason,
    outcome,
    counted_minor
from source
