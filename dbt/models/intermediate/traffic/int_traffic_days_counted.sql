{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('event_days')) }}") }}

with events as (

    select * from {{ ref('stg_lake__events') }}
    {{ where_touched('event_days', 'occurred_date') }}

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

)

select
    events.shop_id,
    events.occurred_date as shop_date,
    cast(count(distinct case when bots.person_id is null then events.person_id end) as bigint) as visitors,
    {{ count_where("events.type = 'page_viewed' and bots.person_id is null") }} as page_views,
    {{ count_where("events.type = 'item_viewed' and bots.person_id is null") }} as item_views,
    cast(count(distinct bots.person_id) as bigint) as bot_visitors,
    {{ count_where("events.type = 'page_viewed' and bots.person_id is not null") }} as bot_page_views,
    {{ count_where("events.type = 'item_viewed' and bots.person_id is not null") }} as bot_item_views
from events
left join bots on events.shop_id = bots.shop_id and events.person_id = bots.person_id
where events.person_id is not null and {{ is_storefront_act('events.type') }}
group by events.shop_id, events.occurred_date
