with source as (

    select * from {{ source('lake', 'sessions') }}

)

select
    shop_id,
    session_key,
    person_id,
    anonymous_id,
    user_id,
    started_at,
    ended_at,
    started_date,
    channel,
    campaign,
    referrer,
    device,
    city,
    share_id,
    events,
    views,
    searches,
    adds,
    checkouts,
    orders,
    shares
from source
