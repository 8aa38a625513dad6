with source as (

    select * from {{ source('lake', 'spend') }}

)

select
    shop_id,
    spend_date,
    channel,
    campaign,
    amount_minor,
    currency,
    clicks,
    impressions
from source
