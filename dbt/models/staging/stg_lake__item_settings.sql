with source as (

    select * from {{ source('lake', 'item_settings') }}

)

select
    shop_id,
    measure,
    number,
    threshold
from source
