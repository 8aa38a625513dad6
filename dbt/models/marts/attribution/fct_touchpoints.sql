{{ config(
    materialized=incremental_on_duckdb(),
    pre_hook=["{{ keep_touches_before() }}", "{{ delete_where(is_touched('reached_orders')) }}"],
    post_hook="{{ retouch_orders() }}"
) }}

with orders as (

    select * from {{ ref('fct_orders') }}
    {{ where_touched('persons') }}

),

sessions as (

    select sessions.* from {{ ref('fct_sessions') }} as sessions
    {% if is_incremental() -%}
        inner join touched.reached_persons as persons
            on sessions.shop_id = persons.shop_id
            and sessions.person_id = persons.person_id
            and {{ days_later('sessions.started_at', var('attribution_lookback_days')) }} >= persons.since
    {%- endif %}

),

links as (

    select * from {{ ref('int_share_links_named') }}

),

ordered as (

    select
        *,
        lag(paid_at) over (partition by shop_id, person_id order by paid_at, order_id) as previous_paid_at
    from orders

),

reached as (

    select * from ordered
    {{ where_touched('reached_orders') }}

),

-- A visit counts for the first order after it; that in which an order was paid for that order.
visits as (

    select
        reached.shop_id,
        reached.order_id,
        'visit' as origin,
        sessions.session_key,
        sessions.person_id,
        sessions.started_at as touched_at,
        {{ channel_of('sessions') }} as channel,
        nullif(sessions.campaign, '') as campaign,
        sessions.referrer,
        sessions.share_id
    from reached
    inner join sessions
        on reached.shop_id = sessions.shop_id
        and reached.person_id = sessions.person_id
        and reached.paid_at >= sessions.started_at
        and reached.paid_at <= {{ days_later('sessions.started_at', var('attribution_lookback_days')) }}
        and (
            reached.previous_paid_at is null
            or reached.previous_paid_at < sessions.started_at
            or reached.paid_at <= sessions.ended_at
        )
    where sessions.is_visit and not sessions.is_bot

),

visited as (

    select distinct
        shop_id,
        order_id
    from visits

),

payments as (

    select
        reached.shop_id,
        reached.order_id,
        'payment' as origin,
        cast(null as string) as session_key,
        reached.person_id,
        reached.paid_at as touched_at,
        case
            when reached.channel <> '' then reached.channel
            when reached.share_id is not null then 'share'
            else 'unknown'
        end as channel,
        nullif(reached.campaign, '') as campaign,
        cast(null as string) as referrer,
        reached.share_id
    from reached
    left join visited on reached.shop_id = visited.shop_id and reached.order_id = visited.order_id
    where visited.order_id is null

),

touches as (

    select * from visits
    union all
    select * from payments

)

select
    touches.shop_id,
    touches.order_id,
    cast(row_number() over (
        partition by touches.shop_id, touches.order_id order by touches.touched_at, touches.session_key
    ) as bigint) as touch_number,
    cast(count(*) over (partition by touches.shop_id, touches.order_id) as bigint) as touches,
    touches.origin,
    touches.session_key,
    touches.person_id,
    touches.touched_at,
    touches.channel,
    touches.campaign,
    touches.referrer,
    touches.share_id,
    case when links.sharer_id <> coalesce(touches.person_id, '') then links.sharer_id end as sharer_id,
    touches.channel in ('direct', 'unknown') as is_direct
from touches
left join links on touches.shop_id = links.shop_id and touches.share_id = links.share_id
