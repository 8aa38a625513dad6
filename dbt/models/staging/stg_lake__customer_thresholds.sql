with source as (

    select * from {{ source('lake', 'customer_thresholds') }}

)

select
    shop_id,
    month,
    measure,
    score,
    threshold,
    currency
from source
