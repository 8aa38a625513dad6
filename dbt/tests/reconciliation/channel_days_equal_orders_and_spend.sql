-- By each model the channels of a day have its orders and their net, and what was spent on it.
with channel_days as (

    select * from {{ ref('fct_channel_days') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

spend as (

    select * from {{ ref('fct_spend') }}

),

models as (

    select distinct
        shop_id,
        model
    from channel_days

),

ordered_and_spent as (

    select
        shop_id,
        paid_date as shop_date,
        1 as orders,
        net_minor,
        0 as spend_minor
    from orders
    union all
    select
        shop_id,
        spend_date as shop_date,
        0 as orders,
        0 as net_minor,
        spend_minor
    from spend

),

by_day as (

    select
        models.shop_id,
        ordered_and_spent.shop_date,
        models.model,
        sum(ordered_and_spent.orders) as orders,
        sum(ordered_and_spent.net_minor) as net_minor,
        sum(ordered_and_spent.spend_minor) as spend_minor
    from ordered_and_spent
    inner join models on ordered_and_spent.shop_id = models.shop_id
    group by models.shop_id, ordered_and_spent.shop_date, models.model

),

by_channels as (

    select
        shop_id,
        shop_date,
        model,
        cast(round(sum(credited_orders)) as bigint) as orders,
        sum(net_minor) as net_minor,
        sum(spend_minor) as spend_minor
    from channel_days
    group by shop_id, shop_date, model

)

{{ unequal('by_day', 'by_channels', ['shop_id', 'shop_date', 'model'], ['orders', 'net_minor', 'spend_minor']) }}
