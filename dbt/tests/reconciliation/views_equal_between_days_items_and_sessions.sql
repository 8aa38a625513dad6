-- The views of a shop's days are those of its sessions, and without bots those of its items with what was viewed outside its
-- catalogue.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

fct_sessions as (

    select * from {{ ref('fct_sessions') }}

),

dim_items as (

    select * from {{ ref('dim_items') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

),

corrections as (

    select
        events.shop_id,
        sum(case when dim_items.item_id is null and bots.person_id is null then 1 else 0 end) as outside
    from events
    left join dim_items on events.shop_id = dim_items.shop_id and events.item_id = dim_items.item_id
    left join bots on events.shop_id = bots.shop_id and events.person_id = bots.person_id
    where events.type = 'item_viewed' and events.person_id is not null
    group by events.shop_id

),

of_items as (

    select
        shop_id,
        sum(views) as views
    from dim_items
    group by shop_id

),

of_sessions as (

    select
        shop_id,
        sum(views) as views
    from fct_sessions
    group by shop_id

),

days as (

    select
        shop_id,
        sum(item_views) as item_views,
        sum(item_views + bot_item_views) as session_views
    from shop_days
    group by shop_id

),

others as (

    select
        corrections.shop_id,
        coalesce(of_items.views, 0) + corrections.outside as item_views,
        coalesce(of_sessions.views, 0) as session_views
    from corrections
    left join of_items on corrections.shop_id = of_items.shop_id
    left join of_sessions on corrections.shop_id = of_sessions.shop_id

)

{{ unequal('days', 'others', ['shop_id'], ['item_views', 'session_views']) }}
