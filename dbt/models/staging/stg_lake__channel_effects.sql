with source as (

    select * from {{ source('lake', 'channel_effects') }}

)

select
    shop_id,
    model,
    channel,
    as_of_date,
    effect,
    effect_low,
    effect_high,
    journeys,
    orders
from source
