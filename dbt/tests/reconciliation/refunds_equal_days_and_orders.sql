-- Each refund counts once on its day and once on its order, so a shop's days and orders differ by the refunds of orders that
-- are not known, and by nothing else.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

sold as (

    select
        shop_id,
        sum(net_minor) as net_minor,
        sum(refunded_minor) as refunded_minor
    from fct_orders
    group by shop_id

),

returned as (

    select
        refunds.shop_id,
        sum(case when fct_orders.order_id is null then refunds.amount_minor else 0 end) as unknown_minor
    from refunds
    left join fct_orders on refunds.shop_id = fct_orders.shop_id and refunds.order_id = fct_orders.order_id
    group by refunds.shop_id

),

shops as (

    select sold.shop_id from sold
    union
    select returned.shop_id from returned

),

facts as (

    select
        shops.shop_id,
        coalesce(sold.net_minor, 0) - coalesce(returned.unknown_minor, 0) as net_minor,
        coalesce(sold.refunded_minor, 0) + coalesce(returned.unknown_minor, 0) as refunds_minor
    from shops
    left join sold on shops.shop_id = sold.shop_id
    left join returned on shops.shop_id = returned.shop_id

),

days as (

    select
        shop_id,
        sum(net_gmv_minor) as net_minor,
        sum(refunds_minor) as refunds_minor
    from shop_days
    group by shop_id

)

{{ unequal('days', 'facts', ['shop_id'], ['net_minor', 'refunds_minor']) }}
