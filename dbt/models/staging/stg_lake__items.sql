with source as (

    select * from {{ source('lake', 'items') }}

)

select
    shop_id,
    item_id,
    title,
    title_en,
    category,
    brand,
    unit_price_minor,
    currency,
    home_currency,
    home_unit_price_minor,
    stock,
    status,
    unit_cost_minor,
    stocked_at
from source
