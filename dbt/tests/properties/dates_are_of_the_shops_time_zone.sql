-- The date of an act is the one that the shop's own calendar shows at that instant.
with shops as (

    select * from {{ ref('stg_lake__shops') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

dated as (

    select
        shop_id,
        paid_at as instant,
        paid_date as local_date
    from orders
    union all
    select
        shop_id,
        started_at as instant,
        started_date as local_date
    from sessions
    union all
    select
        shop_id,
        refunded_at as instant,
        refunded_date as local_date
    from refunds
    union all
    select
        shop_id,
        occurred_at as instant,
        occurred_date as local_date
    from events

)

select
    dated.shop_id,
    dated.instant,
    dated.local_date,
    shops.time_zone
from dated
inner join shops on dated.shop_id = shops.shop_id
where {{ local_date('dated.instant', 'shops.time_zone') }} <> dated.local_date
