with source as (

    select * from {{ source('lake', 'fx_rates') }}

)

select
    shop_id,
    home_currency,
    currency,
    rate_date,
    rate_units,
    rate_scale
from source
