{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('visits')) }}") }}

-- An act belongs to the visit of its person that silver made of it: on its device or, with a user id alone, on the device on
-- which the user acted last, up to a pause before (spark_jobs.silver.sessions).
with events as (

    {% if is_incremental() %}select * from touched.events_near{% else %}select * from {{ ref('stg_lake__events') }}{% endif %}

),

orders as (

    select * from {{ ref('stg_lake__orders') }}

),

sessions as (

    select * from {{ ref('stg_lake__sessions') }}
    {{ where_touched('visits') }}

),

-- A second report of an order is no act.
acts as (

    select events.*
    from events
    left join orders on events.shop_id = orders.shop_id and events.event_id = orders.event_id
    where
        events.person_id is not null
        and events.type <> 'order_refunded'
        and (events.type <> 'order_paid' or orders.event_id is not null)

),

users_alone as (

    select distinct
        shop_id,
        user_id
    from acts
    where anonymous_id is null

),

numbered as (

    select
        acts.shop_id,
        acts.user_id,
        acts.event_id,
        acts.anonymous_id,
        acts.occurred_at,
        count(acts.anonymous_id) over (
            partition by acts.shop_id, acts.user_id
            order by acts.occurred_at, acts.received_at, acts.event_id
            rows between unbounded preceding and current row
        ) as devices_before
    from acts
    inner join users_alone on acts.shop_id = users_alone.shop_id and acts.user_id = users_alone.user_id

),

devices as (

    select
        shop_id,
        user_id,
        devices_before,
        anonymous_id,
        occurred_at
    from numbered
    where anonymous_id is not null

),

alone as (

    select
        numbered.shop_id,
        numbered.event_id,
        devices.anonymous_id
    from numbered
    inner join devices
        on numbered.shop_id = devices.shop_id
        and numbered.user_id = devices.user_id
        and numbered.devices_before = devices.devices_before
        and numbered.occurred_at <= devices.occurred_at + interval '30' minute
    where numbered.anonymous_id is null

),

placed as (

    select
        acts.shop_id,
        acts.event_id,
        acts.type,
        acts.occurred_at,
        acts.occurred_date,
        acts.person_id,
        acts.user_id,
        acts.item_id,
        coalesce(acts.anonymous_id, alone.anonymous_id) as anonymous_id
    from acts
    left join alone on acts.shop_id = alone.shop_id and acts.event_id = alone.event_id

)

select
    placed.shop_id,
    sessions.session_key,
    placed.event_id,
    placed.type,
    placed.occurred_at,
    placed.occurred_date,
    placed.person_id,
    placed.item_id
from placed
inner join sessions
    on placed.shop_id = sessions.shop_id
    and placed.person_id = sessions.person_id
    and coalesce(placed.anonymous_id, '') = coalesce(sessions.anonymous_id, '')
    and (placed.anonymous_id is not null or placed.user_id = sessions.user_id)
    and placed.occurred_at >= sessions.started_at
    and placed.occurred_at <= sessions.ended_at
