-- By each model of its shop an order is credited whole, and with all that was paid for it less its refunds.
with credits as (

    select * from {{ ref('fct_attribution_credits') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

models as (

    select distinct
        shop_id,
        model
    from credits

),

by_order as (

    select
        orders.shop_id,
        orders.order_id,
        models.model,
        1000000 as credit_millionths,
        orders.net_minor
    from orders
    inner join models on orders.shop_id = models.shop_id

),

by_credits as (

    select
        shop_id,
        order_id,
        model,
        sum(credit_millionths) as credit_millionths,
        sum(net_minor) as net_minor
    from credits
    group by shop_id, order_id, model

)

{{ unequal('by_order', 'by_credits', ['shop_id', 'order_id', 'model'], ['credit_millionths', 'net_minor']) }}
