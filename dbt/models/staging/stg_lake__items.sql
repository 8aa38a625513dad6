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
    home_unit_price_minor,
    currency,
    stock,
    status,
    unit_cost_minor,
    stocked_at
from source
