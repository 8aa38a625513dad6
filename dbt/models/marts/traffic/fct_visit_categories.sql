with funnels as (

    select * from {{ ref('int_category_funnels') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

)

select
    funnels.shop_id,
    funnels.session_key,
    funnels.category,
    sessions.started_date,
    sessions.channel,
    sessions.device,
    sessions.visitor_type,
    sessions.is_bot,
    funnels.has_added,
    funnels.has_checked_out,
    funnels.has_paid
from funnels
inner join sessions on funnels.shop_id = sessions.shop_id and funnels.session_key = sessions.session_key
