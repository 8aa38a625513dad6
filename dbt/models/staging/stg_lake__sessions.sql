with source as (

    select * from {{ source('lake', 'sessions') }}

)

select
    shop_id,
    session_key,
    person_id,
    started_at,
    ended_at,
    started_date,
    channel,
    campaign,
    device,
    city,
    events,
    views,
    searches,
    adds,
    checkouts,
    orders,
    shares
from source
