with source as (

    select * from {{ source('lake', 'order_lines') }}

)

select
    shop_id,
    order_id,
    line_number,
    person_id,
    paid_at,
    paid_date,
    item_id,
    quantity,
    net_minor
from source
