with source as (

    select * from {{ source('lake', 'events') }}

)

select
    shop_id,
    event_id,
    type,
    occurred_at,
    received_at,
    coalesce(repaired_at, received_at) as known_at,
    occurred_date,
    is_late,
    person_id,
    anonymous_id,
    user_id,
    share_id,
    shared_by,
    item_id,
    quantity
from source
