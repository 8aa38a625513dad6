-- The contract takes nothing that is dated more than a year ahead (jishi.contract.validation); a day beyond that is a fault of
-- the pipeline's own, and one such row would stretch every spine of days to it.
with events as (

    select * from {{ ref('stg_lake__events') }}

),

orders as (

    select * from {{ ref('stg_lake__orders') }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

sessions as (

    select * from {{ ref('stg_lake__sessions') }}

),

dated as (

    select
        shop_id,
        occurred_date as impossible_date
    from events
    union all
    select
        shop_id,
        paid_date as impossible_date
    from orders
    union all
    select
        shop_id,
        refunded_date as impossible_date
    from refunds
    union all
    select
        shop_id,
        started_date as impossible_date
    from sessions
)

select
    shop_id,
    impossible_date
from dated
where impossible_date > {{ days_later('cast(current_date as timestamp)', 367) }}
