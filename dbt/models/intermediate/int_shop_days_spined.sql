-- A shop is known up to the newest event that the platform received of it. A day is over when that instant lies behind it.
with events as (

    select * from {{ ref('stg_lake__events') }}

),

orders as (

    select * from {{ ref('stg_lake__orders') }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

dated as (

    select
        shop_id,
        min(case when person_id is not null then occurred_date end) as first_date,
        max(case when person_id is not null then occurred_date end) as last_date,
        max(received_at) as as_of_at
    from events
    group by shop_id
    union all
    select
        shop_id,
        min(paid_date) as first_date,
        max(paid_date) as last_date,
        max(received_at) as as_of_at
    from orders
    group by shop_id
    union all
    select
        shop_id,
        min(refunded_date) as first_date,
        max(refunded_date) as last_date,
        max(received_at) as as_of_at
    from refunds
    group by shop_id

),

ranges as (

    select
        shop_id,
        min(first_date) as first_date,
        max(last_date) as last_date,
        max(as_of_at) as as_of_at
    from dated
    group by shop_id

),

zoned as (

    select
        ranges.shop_id,
        ranges.first_date,
        greatest(ranges.last_date, {{ local_date('ranges.as_of_at', 'shops.time_zone') }}) as last_date,
        ranges.as_of_at,
        shops.time_zone
    from ranges
    left join shops on ranges.shop_id = shops.shop_id
    where ranges.first_date is not null

),

days as (

    select
        shop_id,
        first_date,
        as_of_at,
        time_zone,
        {{ each_midnight('first_date', 'last_date') }} as midnight
    from zoned

),

bounded as (

    select
        shop_id,
        cast(midnight as date) as shop_date,
        first_date,
        as_of_at,
        {{ local_time('as_of_at', 'time_zone') }} as local_as_of,
        time_zone,
        {{ instant_of('cast(midnight as timestamp)', 'time_zone') }} as starts_at,
        {{ instant_of('cast(' ~ days_later('midnight', 1) ~ ' as timestamp)', 'time_zone') }} as ends_at
    from days

)

select
    shop_id,
    shop_date,
    first_date,
    as_of_at,
    local_as_of,
    time_zone,
    starts_at,
    ends_at,
    as_of_at >= ends_at as is_complete
from bounded
