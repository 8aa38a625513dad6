-- What a shop sold on a day is the sum of that day's orders.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

days as (

    select
        shop_id,
        shop_date,
        orders,
        paying_customers,
        gross_minor,
        discount_minor,
        units,
        refunded_later_minor,
        gross_minor - line_discount_minor - order_discount_minor + shipping_minor + price_correction_minor as gmv_minor
    from shop_days

),

by_day as (

    select
        shop_id,
        paid_date as shop_date,
        count(*) as orders,
        count(distinct person_id) as paying_customers,
        sum(gross_minor) as gross_minor,
        sum(discount_minor) as discount_minor,
        sum(units) as units,
        sum(refunded_minor) as refunded_later_minor,
        sum(net_minor + refunded_minor) as gmv_minor
    from fct_orders
    group by shop_id, paid_date

)

{{ unequal(
    'days', 'by_day', ['shop_id', 'shop_date'],
    ['orders', 'paying_customers', 'gross_minor', 'discount_minor', 'units', 'refunded_later_minor', 'gmv_minor']
) }}
