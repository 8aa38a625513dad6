with sessions as (

    select * from {{ ref('stg_lake__sessions') }}

),

funnels as (

    select * from {{ ref('int_session_funnels_nested') }}

)

select
    sessions.shop_id,
    sessions.session_key,
    sessions.person_id,
    sessions.started_at,
    sessions.ended_at,
    sessions.started_date,
    sessions.channel,
    sessions.campaign,
    sessions.device,
    sessions.city,
    sessions.events,
    sessions.views,
    sessions.adds,
    sessions.orders,
    sessions.shares,
    funnels.has_viewed,
    funnels.has_added,
    funnels.has_checked_out,
    funnels.has_paid
from sessions
inner join funnels on sessions.shop_id = funnels.shop_id and sessions.session_key = funnels.session_key
