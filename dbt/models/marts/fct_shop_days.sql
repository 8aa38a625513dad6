with events as (

    select * from {{ ref('stg_lake__events') }}

),

sessions as (

    select * from {{ ref('stg_lake__sessions') }}

),

orders as (

    select * from {{ ref('stg_lake__orders') }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

traffic as (

    select
        shop_id,
        occurred_date as shop_date,
        cast(count(distinct person_id) as bigint) as visitors,
        {{ count_where("type = 'item_viewed'") }} as page_views
    from events
    where person_id is not null and type <> 'order_refunded'
    group by shop_id, occurred_date

),

visits as (

    select
        shop_id,
        started_date as shop_date,
        cast(count(*) as bigint) as sessions,
        {{ count_where('orders > 0') }} as paying_sessions
    from sessions
    group by shop_id, started_date

),

sales as (

    select
        shop_id,
        paid_date as shop_date,
        cast(count(*) as bigint) as orders,
        cast(count(distinct person_id) as bigint) as paying_customers,
        {{ sum_minor('gross_minor') }} as gross_minor,
        {{ sum_minor('discount_minor') }} as discount_minor,
        {{ sum_minor('paid_minor') }} as gmv_minor
    from orders
    group by shop_id, paid_date

),

returned as (

    select
        shop_id,
        refunded_date as shop_date,
        {{ sum_minor('amount_minor') }} as refunds_minor
    from refunds
    group by shop_id, refunded_date

),

days as (

    select
        shop_id,
        shop_date
    from traffic
    union
    select
        shop_id,
        shop_date
    from visits
    union
    select
        shop_id,
        shop_date
    from sales
    union
    select
        shop_id,
        shop_date
    from returned

),

customers_of_30_days as (

    select
        days.shop_id,
        days.shop_date,
        orders.person_id,
        count(*) as orders
    from days
    inner join orders
        on days.shop_id = orders.shop_id
        and orders.paid_date <= days.shop_date
        and orders.paid_date > {{ days_later('days.shop_date', -30) }}
    group by days.shop_id, days.shop_date, orders.person_id

),

repurchase as (

    select
        shop_id,
        shop_date,
        cast(count(*) as bigint) as customers_30d,
        {{ count_where('orders >= 2') }} as repeat_customers_30d
    from customers_of_30_days
    group by shop_id, shop_date

)

select
    days.shop_id,
    days.shop_date,
    coalesce(traffic.visitors, 0) as visitors,
    coalesce(traffic.page_views, 0) as page_views,
    coalesce(visits.sessions, 0) as sessions,
    coalesce(visits.paying_sessions, 0) as paying_sessions,
    coalesce(sales.orders, 0) as orders,
    coalesce(sales.paying_customers, 0) as paying_customers,
    coalesce(sales.gross_minor, 0) as gross_minor,
    coalesce(sales.discount_minor, 0) as discount_minor,
    coalesce(sales.gmv_minor, 0) as gmv_minor,
    coalesce(returned.refunds_minor, 0) as refunds_minor,
    coalesce(sales.gmv_minor, 0) - coalesce(returned.refunds_minor, 0) as net_gmv_minor,
    cast(sales.gmv_minor as double) / sales.orders as aov_minor,
    cast(visits.paying_sessions as double) / nullif(visits.sessions, 0) as conversion,
    coalesce(repurchase.customers_30d, 0) as customers_30d,
    coalesce(repurchase.repeat_customers_30d, 0) as repeat_customers_30d,
    cast(repurchase.repeat_customers_30d as double) / repurchase.customers_30d as repurchase_rate_30d
from days
left join traffic on days.shop_id = traffic.shop_id and days.shop_date = traffic.shop_date
left join visits on days.shop_id = visits.shop_id and days.shop_date = visits.shop_date
left join sales on days.shop_id = sales.shop_id and days.shop_date = sales.shop_date
left join returned on days.shop_id = returned.shop_id and days.shop_date = returned.shop_date
left join repurchase on days.shop_id = repurchase.shop_id and days.shop_date = repurchase.shop_date
