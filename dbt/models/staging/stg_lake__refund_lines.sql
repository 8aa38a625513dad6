with source as (

    select * from {{ source('lake', 'refund_lines') }}

)

select
    shop_id,
    refund_id,
    order_id,
    item_id,
    quantity,
    amount_minor,
    outcome,
    counted_minor
from source
