with source as (

    select * from {{ source('lake', 'customer_settings') }}

)

select
    shop_id,
    measure,
    score,
    threshold
from source
