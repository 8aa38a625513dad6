{{ config(
    materialized=incremental_on_duckdb(), pre_hook=["{{ reach_journeys() }}", "{{ delete_where(is_of_touched_journey()) }}"]
) }}

-- A visit that no order counts belongs to a journey that came to nothing: those of its person between two orders.
with sessions as (

    {% if is_incremental() -%}
        select
            sessions.*,
            persons.orders_before as earlier_orders
        from {{ ref('fct_sessions') }} as sessions
        inner join touched.journeys_from as persons
            on sessions.shop_id = persons.shop_id
            and sessions.person_id = persons.person_id
            and (persons.last_paid_at is null or sessions.started_at >= persons.last_paid_at)
    {%- else -%}
        select
            *,
            0 as earlier_orders
        from {{ ref('fct_sessions') }}
    {%- endif %}

),

touchpoints as (

    select * from {{ ref('fct_touchpoints') }}
    {{ where_touched('persons') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    {{ where_touched('reached_orders') }}

),

led_on as (

    select distinct
        shop_id,
        session_key
    from touchpoints
    where origin = 'visit'

),

acts as (

    select
        shop_id,
        person_id,
        started_at as acted_at,
        session_key,
        channel,
        referrer,
        share_id,
        earlier_orders,
        0 as orders
    from sessions
    where is_visit and not is_bot
    union all
    select
        shop_id,
        person_id,
        paid_at as acted_at,
        cast(null as string) as session_key,
        cast(null as string) as channel,
        cast(null as string) as referrer,
        cast(null as string) as share_id,
        0 as earlier_orders,
        1 as orders
    from orders
    where person_id is not null

),

counted as (

    select
        *,
        sum(orders) over (
            partition by shop_id, person_id order by acted_at
            range between unbounded preceding and current row
        ) as orders_before
    from acts

),

without_order as (

    select
        counted.shop_id,
        concat(
            counted.person_id, '|', cast(counted.earlier_orders + counted.orders_before as string)
        ) as journey_key,
        counted.acted_at,
        counted.session_key,
        {{ channel_of('counted') }} as channel
    from counted
    left join led_on on counted.shop_id = led_on.shop_id and counted.session_key = led_on.session_key
    where counted.orders = 0 and led_on.session_key is null

),

journeys as (

    select
        shop_id,
        concat('order|', order_id) as journey_key,
        touched_at,
        session_key,
        channel,
        true as led_to_order
    from touchpoints
    where
        origin = 'visit'
        {{ and_touched('reached_orders') }}
    union all
    select
        shop_id,
        concat('none|', journey_key) as journey_key,
        acted_at as touched_at,
        session_key,
        channel,
        false as led_to_order
    from without_order

)

select
    shop_id,
    journey_key,
    cast(row_number() over (partition by shop_id, journey_key order by touched_at, session_key) as bigint) as touch_number,
    touched_at,
    channel,
    led_to_order
from journeys
