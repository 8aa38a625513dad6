with compared as (

    select * from {{ ref('int_shop_days_compared') }}

),

shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('int_refunds_valued') }}

),

open_days as (

    select * from compared
    where is_known and not is_complete

),

sales as (

    select
        open_days.shop_id,
        open_days.shop_date,
        open_days.compared_with,
        {{ sales_measures() }}
    from open_days
    inner join fct_orders
        on open_days.shop_id = fct_orders.shop_id
        and open_days.compared_date = fct_orders.paid_date
        and fct_orders.paid_at <= open_days.until_at
    group by open_days.shop_id, open_days.shop_date, open_days.compared_with

),

returned as (

    select
        open_days.shop_id,
        open_days.shop_date,
        open_days.compared_with,
        {{ refund_measures() }}
    from open_days
    inner join refunds
        on open_days.shop_id = refunds.shop_id
        and open_days.compared_date = refunds.refunded_date
        and refunds.refunded_at <= open_days.until_at
    group by open_days.shop_id, open_days.shop_date, open_days.compared_with

),

of_parts as (

    select
        open_days.shop_id,
        open_days.shop_date,
        open_days.compared_with,
        open_days.compared_date,
        open_days.until_at,
        coalesce(sales.orders, 0) as orders,
        coalesce(sales.paying_customers, 0) as paying_customers,
        coalesce(sales.units, 0) as units,
        coalesce(sales.gmv_minor, 0) as gmv_minor,
        coalesce(returned.refunds_minor, 0) as refunds_minor
    from open_days
    left join sales
        on open_days.shop_id = sales.shop_id
        and open_days.shop_date = sales.shop_date
        and open_days.compared_with = sales.compared_with
    left join returned
        on open_days.shop_id = returned.shop_id
        and open_days.shop_date = returned.shop_date
        and open_days.compared_with = returned.compared_with

),

of_whole_days as (

    select
        compared.shop_id,
        compared.shop_date,
        compared.compared_with,
        compared.compared_date,
        cast(null as timestamp) as until_at,
        shop_days.orders,
        shop_days.paying_customers,
        shop_days.units,
        shop_days.gmv_minor,
        shop_days.refunds_minor
    from compared
    left join shop_days on compared.shop_id = shop_days.shop_id and compared.compared_date = shop_days.shop_date
    where compared.is_complete or not compared.is_known

),

all_days as (

    select * from of_parts
    union all
    select * from of_whole_days

)

select
    shop_id,
    shop_date,
    compared_with,
    compared_date,
    until_at,
    orders,
    paying_customers,
    cast(units as decimal(38, 0)) as units,
    cast(gmv_minor as decimal(38, 0)) as gmv_minor,
    cast(refunds_minor as decimal(38, 0)) as refunds_minor,
    cast(gmv_minor - refunds_minor as decimal(38, 0)) as net_gmv_minor
from all_days
