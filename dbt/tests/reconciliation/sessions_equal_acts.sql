-- Every view and every order of a known person is in exactly one session of the shop.
with fct_sessions as (

    select * from {{ ref('fct_sessions') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

sessions as (

    select
        shop_id,
        sum(views) as views,
        sum(orders) as orders
    from fct_sessions
    group by shop_id

),

counted as (

    select
        shop_id,
        count(*) as views,
        0 as orders
    from events
    where type = 'item_viewed' and person_id is not null
    group by shop_id
    union all
    select
        shop_id,
        0 as views,
        count(*) as orders
    from orders
    where person_id is not null
    group by shop_id

),

acts as (

    select
        shop_id,
        sum(views) as views,
        sum(orders) as orders
    from counted
    group by shop_id

)

{{ unequal('sessions', 'acts', ['shop_id'], ['views', 'orders']) }}
