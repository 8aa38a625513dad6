-- Who comes or buys counts in the hour of the first act or order of the day, so that hours add up to their day.
with spine as (

    select * from {{ ref('int_shop_days_spined') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

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

acts as (

    select
        events.shop_id,
        events.occurred_date,
        events.person_id,
        events.type,
        cast(extract(hour from {{ local_time('events.occurred_at', 'shops.time_zone') }}) as bigint) as shop_hour
    from events
    inner join shops on events.shop_id = shops.shop_id
    left join bots on events.shop_id = bots.shop_id and events.person_id = bots.person_id
    where events.person_id is not null and bots.person_id is null and {{ is_storefront_act('events.type') }}

),

first_acts as (

    select
        shop_id,
        occurred_date,
        person_id,
        min(shop_hour) as shop_hour
    from acts
    group by shop_id, occurred_date, person_id

),

arrivals as (

    select
        shop_id,
        occurred_date as shop_date,
        shop_hour,
        cast(count(*) as bigint) as visitors
    from first_acts
    group by shop_id, occurred_date, shop_hour

),

traffic as (

    select
        shop_id,
        occurred_date as shop_date,
        shop_hour,
        {{ count_where("type = 'item_viewed'") }} as item_views,
        {{ count_where("type = 'item_added_to_cart'") }} as cart_adds
    from acts
    group by shop_id, occurred_date, shop_hour

),

paid as (

    select
        fct_orders.*,
        cast(extract(hour from {{ local_time('fct_orders.paid_at', 'shops.time_zone') }}) as bigint) as shop_hour
    from fct_orders
    inner join shops on fct_orders.shop_id = shops.shop_id

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
    begun.shop_id,
    begun.shop_date,
    begun.shop_hour,
    coalesce(sales.orders, 0) as orders,
    cast(coalesce(sales.gmv_minor, 0) as decimal(38, 0)) as gmv_minor,
    coalesce(buyers.paying_customers, 0) as paying_customers,
    case when shop_days.visitors is not null then coalesce(arrivals.visitors, 0) end as visitors,
    case when shop_days.item_views is not null then coalesce(traffic.item_views, 0) end as item_views,
    case when shop_days.item_views is not null then coalesce(traffic.cart_adds, 0) end as cart_adds
from begun
inner join shop_days on begun.shop_id = shop_days.shop_id and begun.shop_date = shop_days.shop_date
left join sales
    on begun.shop_id = sales.shop_id and begun.shop_date = sales.shop_date and begun.shop_hour = sales.shop_hour
left join buyers
    on begun.shop_id = buyers.shop_id and begun.shop_date = buyers.shop_date and begun.shop_hour = buyers.shop_hour
left join arrivals
    on begun.shop_id = arrivals.shop_id and begun.shop_date = arrivals.shop_date and begun.shop_hour = arrivals.shop_hour
left join traffic
    on begun.shop_id = traffic.shop_id and begun.shop_date = traffic.shop_date and begun.shop_hour = traffic.shop_hour
