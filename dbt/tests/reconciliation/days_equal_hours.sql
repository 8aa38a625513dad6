-- What happened on a day is the sum of its hours.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

shop_hours as (

    select * from {{ ref('fct_shop_hours') }}

),

by_day as (

    select
        shop_id,
        shop_date,
        sum(orders) as orders,
        sum(gmv_minor) as gmv_minor,
        sum(paying_customers) as paying_customers,
        sum(visitors) as visitors,
        sum(item_views) as item_views
    from shop_hours
    group by shop_id, shop_date

)

{{ unequal(
    'shop_days', 'by_day', ['shop_id', 'shop_date'],
    ['orders', 'gmv_minor', 'paying_customers', 'visitors', 'item_views']
) }}
