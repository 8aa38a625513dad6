-- The date of an act is the one that the shop's own calendar shows at that instant. Days begin with a
-- minute, so that minutes tell.
with shops as (

    select * from {{ ref('stg_lake__shops') }}

),

orders as (

    select * from {{ written_in_day_build(ref('fct_orders')) }}

),

sessions as (

    select * from {{ written_in_day_build(ref('fct_sessions')) }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}
    {{ only_rewritten('stg_lake__events', ['shop_id', 'event_id']) }}

),

dated as (

    select
        shop_id,
        date_trunc('minute', paid_at) as instant,
        paid_date as local_date
    from orders
    union all
    select
        shop_id,
        date_trunc('minute', started_at) as instant,
        started_date as local_date
    from sessions
    union all
    select
        shop_id,
        date_trunc('minute', refunded_at) as instant,
        refunded_date as local_date
    from refunds
    union all
    select
        shop_id,
        date_trunc('minute', occurred_at) as instant,
        occurred_date as local_date
    from events

),

minutes as (

    select distinct
        shop_id,
        instant,
        local_date
    from dated

)

select
    minutes.shop_id,
    minutes.instant,
    minutes.local_date,
    shops.time_zone
from minutes
inner join shops on minutes.shop_id = shops.shop_id
where {{ local_date('minutes.instant', 'shops.time_zone') }} <> minutes.local_date
