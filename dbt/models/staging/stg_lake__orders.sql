with source as (

    select * from {{ source('lake', 'orders') }}

)

select
    shop_id,
    order_id,
    event_id,
    person_id,
    paid_at,
    received_at,
    paid_date,
    currency,
    home_currency,
    lines,
    units,
    gross_minor,
    discount_minor,
    shipping_minor,
    paid_minor,
    home_gross_minor,
    home_discount_minor,
    home_shipping_minor,
    home_paid_minor,
    coupons,
    channel,
    campaign,
    share_id,
    group_buy_id,
    delivery_region
from source
