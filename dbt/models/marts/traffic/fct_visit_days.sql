{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('sessions')) }}") }}

with acts as (

    select * from {{ ref('int_acts_in_visits') }}
    {{ where_touched('sessions') }}

),

sessions as (

    select * from {{ now_written(ref('fct_sessions')) }}

)

select
    acts.shop_id,
    acts.session_key,
    acts.occurred_date as shop_date,
    sessions.person_id,
    sessions.is_bot,
    cast(count(*) as bigint) as storefront_acts,
    {{ count_where("acts.type = 'item_viewed'") }} as item_views
from acts
inner join sessions on acts.shop_id = sessions.shop_id and acts.session_key = sessions.session_key
where {{ is_storefront_act('acts.type') }}
group by acts.shop_id, acts.session_key, acts.occurred_date, sessions.person_id, sessions.is_bot
