with compared as (

    select * from {{ ref('int_shop_days_compared') }}

),

-- Few of all days: what follows is read of these alone.
open_days as (

    select * from compared
    where is_known and not is_complete

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

events as (

    select * from {{ ref('stg_lake__events') }}
    where (shop_id, occurred_date) in (
        select
            open_days.shop_id,
            open_days.compared_date
        from open_days
    )

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}
    where
        is_visit
        and not is_bot
        and (shop_id, started_date) in (
            select
                open_days.shop_id,
                open_days.compared_date
            from open_days
        )

),

acts as (

    select * from {{ ref('int_acts_in_visits') }}
    where (shop_id, session_key) in (
        select
            sessions.shop_id,
            sessions.session_key
        from sessions
    )

),

seen as (

    select
        open_days.shop_id,
        open_days.shop_date,
        open_days.compared_with,
        cast(count(distinct events.person_id) as bigint) as visitors,
        {{ count_where("events.type = 'page_viewed'") }} as page_views,
        {{ count_where("events.type = 'item_viewed'") }} as item_views
    from open_days
    inner join events
        on open_days.shop_id = events.shop_id
        and open_days.compared_date = events.occurred_date
        and events.occurred_at <= open_days.until_at
    left join bots on events.shop_id = bots.shop_id and events.person_id = bots.person_id
    where events.person_id is not null and bots.person_id is null and {{ is_storefront_act('events.type') }}
    group by open_days.shop_id, open_days.shop_date, open_days.compared_with

),

-- What of a visit had happened by then: one that was paid later had not been.
visits as (

    select
        open_days.shop_id,
        open_days.shop_date,
        open_days.compared_with,
        sessions.session_key,
        max(case when {{ is_storefront_act('acts.type') }} then 1 else 0 end) as was_there,
        max(case when acts.type = 'order_paid' then 1 else 0 end) as had_paid
    from open_days
    inner join sessions on open_days.shop_id = sessions.shop_id and open_days.compared_date = sessions.started_date
    inner join acts
        on sessions.shop_id = acts.shop_id
        and sessions.session_key = acts.session_key
        and acts.occurred_at <= open_days.until_at
    group by open_days.shop_id, open_days.shop_date, open_days.compared_with, sessions.session_key

),

visited as (

    select
        shop_id,
        shop_date,
        compared_with,
        cast(count(*) as bigint) as sessions,
        {{ count_where('had_paid = 1') }} as paying_sessions
    from visits
    where was_there = 1
    group by shop_id, shop_date, compared_with

),

sales as (

    select
        open_days.shop_id,
        open_days.shop_date,
        open_days.compared_with,
        {{ sales_measures() }},
        {{ customer_measures() }}
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
        case when shop_days.visitors is not null then coalesce(seen.visitors, 0) end as visitors,
        case when shop_days.page_views is not null then coalesce(seen.page_views, 0) end as page_views,
        case when shop_days.item_views is not null then coalesce(seen.item_views, 0) end as item_views,
        case when shop_days.sessions is not null then coalesce(visited.sessions, 0) end as sessions,
        case when shop_days.paying_sessions is not null then coalesce(visited.paying_sessions, 0) end as paying_sessions,
        coalesce(sales.orders, 0) as orders,
        coalesce(sales.paying_customers, 0) as paying_customers,
        coalesce(sales.units, 0) as units,
        {{ zero_without('sales', 'gmv_minor') }} as gmv_minor,
        {{ zero_without('returned', 'refunds_minor') }} as refunds_minor,
        {{ net_sales_minor() }} as net_gmv_minor,
        cast(sales.gmv_minor as double) / nullif(sales.orders - sales.orders_without_rate, 0) as order_value_minor,
        cast(sales.paid_by_customers_minor as double) / nullif(sales.customers_with_amount, 0) as customer_value_minor
    from open_days
    left join shop_days on open_days.shop_id = shop_days.shop_id and open_days.compared_date = shop_days.shop_date
    left join seen
        on open_days.shop_id = seen.shop_id
        and open_days.shop_date = seen.shop_date
        and open_days.compared_with = seen.compared_with
    left join visited
        on open_days.shop_id = visited.shop_id
        and open_days.shop_date = visited.shop_date
        and open_days.compared_with = visited.compared_with
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
        shop_days.visitors,
        shop_days.page_views,
        shop_days.item_views,
        shop_days.sessions,
        shop_days.paying_sessions,
        shop_days.orders,
        shop_days.paying_customers,
        shop_days.units,
        shop_days.gmv_minor,
        shop_days.refunds_minor,
        shop_days.net_gmv_minor,
        shop_days.order_value_minor,
        shop_days.customer_value_minor
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
    visitors,
    page_views,
    item_views,
    sessions,
    paying_sessions,
    cast(paying_sessions as double) / nullif(sessions, 0) as conversion,
    orders,
    paying_customers,
    cast(units as decimal(38, 0)) as units,
    cast(gmv_minor as decimal(38, 0)) as gmv_minor,
    cast(refunds_minor as decimal(38, 0)) as refunds_minor,
    cast(net_gmv_minor as decimal(38, 0)) as net_gmv_minor,
    order_value_minor,
    customer_value_minor
from all_days
