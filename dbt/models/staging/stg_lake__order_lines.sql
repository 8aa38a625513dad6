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
    unit_price_minor,
    discount_minor,
    net_minor,
    home_gross_minor,
    home_discount_minor,
    home_net_minor
from source
