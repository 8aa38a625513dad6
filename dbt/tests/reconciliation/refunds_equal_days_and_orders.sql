-- What counts of a refund counts once on its day and once on its order, so a shop's days and orders are the same to the cent.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

orders as (

    select
        shop_id,
        sum(net_minor) as net_minor,
        sum(refunded_minor) as refunds_minor
    from fct_orders
    group by shop_id

),

days as (

    select
        shop_id,
        sum(net_gmv_minor) as net_minor,
        sum(refunds_minor) as refunds_minor
    from shop_days
    group by shop_id

)

{{ unequal('days', 'orders', ['shop_id'], ['net_minor', 'refunds_minor']) }}
