{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('sessions')) }}") }}

with sessions as (

    select * from {{ ref('stg_lake__sessions') }}
    {{ where_touched('persons') }}

),

funnels as (

    select * from {{ ref('int_visit_funnels') }}
    {{ where_touched('sessions') }}

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

),

numbered as (

    select
        *,
        row_number() over (partition by shop_id, person_id order by started_at, session_key) as session_number
    from sessions

)

select
    numbered.shop_id,
    numbered.session_key,
    numbered.person_id,
    numbered.started_at,
    numbered.ended_at,
    numbered.started_date,
    numbered.channel,
    numbered.campaign,
    numbered.referrer,
    numbered.share_id,
    numbered.device,
    numbered.city,
    case when numbered.session_number = 1 then 'new' else 'returning' end as visitor_type,
    numbered.events,
    numbered.views,
    numbered.adds,
    numbered.orders,
    numbered.shares,
    funnels.is_visit,
    bots.person_id is not null as is_bot,
    funnels.has_viewed,
    funnels.has_added,
    funnels.has_checked_out,
    funnels.has_paid,
    funnels.paid_path
from numbered
inner join funnels on numbered.shop_id = funnels.shop_id and numbered.session_key = funnels.session_key
left join bots on numbered.shop_id = bots.shop_id and numbered.person_id = bots.person_id
