{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('event_days')) }}") }}

-- Who comes counts in the hour of the first act of the day, so that hours add up to their day.
with events as (

    select * from {{ ref('stg_lake__events') }}
    {{ where_touched('event_days', 'occurred_date') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

),

acts as (

    select
        events.shop_id,
        events.occurred_date,
        events.person_id,
        events.type,
        cast(extract(hour from {{ local_time('events.occurred_at', 'shops.time_zone') }}) as bigint) as shop_hour
    from events
    inner join shops on events.shop_id = shops.shop_id
    left join bots on events.shop_id = bots.shop_id and events.person_id = bots.person_id
    where events.person_id is not null and bots.person_id is null and {{ is_storefront_act('events.type') }}

),

first_acts as (

    select
        shop_id,
        occurred_date,
        person_id,
        min(shop_hour) as shop_hour
    from acts
    group by shop_id, occurred_date, person_id

),

arrivals as (

    select
        shop_id,
        occurred_date as shop_date,
        shop_hour,
        cast(count(*) as bigint) as visitors
    from first_acts
    group by shop_id, occurred_date, shop_hour

),

counted as (

    select
        shop_id,
        occurred_date as shop_date,
        shop_hour,
        {{ count_where("type = 'item_viewed'") }} as item_views,
        {{ count_where("type = 'item_added_to_cart'") }} as cart_adds
    from acts
    group by shop_id, occurred_date, shop_hour

)

select
    counted.shop_id,
    counted.shop_date,
    counted.shop_hour,
    coalesce(arrivals.visitors, 0) as visitors,
    counted.item_views,
    counted.cart_adds
from counted
left join arrivals
    on counted.shop_id = arrivals.shop_id
    and counted.shop_date = arrivals.shop_date
    and counted.shop_hour = arrivals.shop_hour
