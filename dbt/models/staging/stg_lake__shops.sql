with source as (

    select * from {{ source('lake', 'shops') }}

)

select
    shop_id,
    name,
    time_zone,
    currency
from source
