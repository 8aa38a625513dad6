with source as (

    select * from {{ source('lake', 'refunds') }}

)

select
    shop_id,
    refund_id,
    order_id,
    refunded_at,
    refunded_date,
    amount_minor
from source
