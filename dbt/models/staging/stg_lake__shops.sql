with source as (

    select * from {{ source('lake', 'shops') }}

)

select
    shop_id,
    name,
    time_zone,
    currency,
    funnel_in_order,
    funnel_window_minutes
from source
