with source as (

    select * from {{ source('lake', 'events') }}

)

select
    shop_id,
    event_id,
    repaired_at
from source
where repaired_at is not null
