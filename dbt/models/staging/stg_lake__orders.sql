with source as (

    select * from {{ source('lake', 'orders') }}

)

select
    shop_id,
    order_id,
    person_id,
    paid_at,
    received_at,
    paid_date,
    currency,
    lines,
    units,
    gross_minor,
    discount_minor,
    shipping_minor,
    paid_minor,
    channel,
    campaign,
    share_id,
    group_buy_id
from source
