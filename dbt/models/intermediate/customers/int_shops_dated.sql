with events as (

    select * from {{ ref('stg_lake__events') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

days as (

    select
        shop_id,
        max(occurred_date) as last_date
    from events
    group by shop_id
    union all
    select
        shop_id,
        max(paid_date) as last_date
    from orders
    group by shop_id
    union all
    select
        shop_id,
        max(refunded_date) as last_date
    from refunds
    group by shop_id

)

select
    shop_id,
    max(last_date) as as_of_date
from days
group by shop_id
