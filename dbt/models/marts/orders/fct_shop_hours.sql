-- Who buys counts in the hour of the first order of the day, so that hours add up to their day. An hour has begun when the
-- platform's newest event was received after its start, or when something in it has come from a clock that is ahead.
with spine as (

    select * from {{ ref('int_shop_days_spined') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

traffic as (

    select * from {{ ref('int_traffic_hours_counted') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

hours as (

    {% for hour in range(24) -%}
        select cast({{ hour }} as bigint) as shop_hour
        {%- if not loop.last %} union all{% endif %}
    {% endfor %}

),

begun as (

    select
        spine.shop_id,
        spine.shop_date,
        hours.shop_hour
    from spine
    cross join hours
    where
        spine.as_of_at >= {{ instant_of(
            "(cast(spine.shop_date as timestamp) + interval '1' hour * cast(hours.shop_hour as int))", 'spine.time_zone'
        ) }}

),

paid as (

    select
        fct_orders.*,
        cast(extract(hour from {{ local_time('fct_orders.paid_at', 'shops.time_zone') }}) as bigint) as shop_hour
    from fct_orders
    inner join shops on fct_orders.shop_id = shops.shop_id

),

known_hours as (

    select
        shop_id,
        shop_date,
        shop_hour
    from begun
    union
    select
        shop_id,
        paid_date as shop_date,
        shop_hour
    from paid
    union
    select
        shop_id,
        shop_date,
        shop_hour
    from traffic

),

sales as (

    select
        shop_id,
        paid_date as shop_date,
        shop_hour,
        {{ sales_measures() }}
    from paid
    group by shop_id, paid_date, shop_hour

),

first_orders as (

    select
        shop_id,
        paid_date,
        person_id,
        min(shop_hour) as shop_hour
    from paid
    where person_id is not null
    group by shop_id, paid_date, person_id

),

buyers as (

    select
        shop_id,
        paid_date as shop_date,
        shop_hour,
        cast(count(*) as bigint) as paying_customers
    from first_orders
    group by shop_id, paid_date, shop_hour

)

select
    known_hours.shop_id,
    known_hours.shop_date,
    known_hours.shop_hour,
    coalesce(sales.orders, 0) as orders,
    {{ zero_without('sales', 'gmv_minor') }} as gmv_minor,
    coalesce(buyers.paying_customers, 0) as paying_customers,
    case when shop_days.visitors is not null then coalesce(traffic.visitors, 0) end as visitors,
    case when shop_days.item_views is not null then coalesce(traffic.item_views, 0) end as item_views,
    case when shop_days.item_views is not null then coalesce(traffic.cart_adds, 0) end as cart_adds
from known_hours
inner join shop_days on known_hours.shop_id = shop_days.shop_id and known_hours.shop_date = shop_days.shop_date
left join sales
    on known_hours.shop_id = sales.shop_id
    and known_hours.shop_date = sales.shop_date
    and known_hours.shop_hour = sales.shop_hour
left join buyers
    on known_hours.shop_id = buyers.shop_id
    and known_hours.shop_date = buyers.shop_date
    and known_hours.shop_hour = buyers.shop_hour
left join traffic
    on known_hours.shop_id = traffic.shop_id
    and known_hours.shop_date = traffic.shop_date
    and known_hours.shop_hour = traffic.shop_hour
