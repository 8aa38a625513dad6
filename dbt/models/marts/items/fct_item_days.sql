{{ config(
    materialized=incremental_on_duckdb(),
    pre_hook=["{{ touch_items_of_concerned_orders() }}", "{{ delete_where(is_touched_item_day()) }}"]
) }}

with events as (

    select * from {{ ref('stg_lake__events') }}
    {% if is_incremental() %}where {{ is_touched_item_day('occurred_date') }}{% endif %}

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

),

traffic as (

    select * from {{ ref('int_traffic_days_counted') }}

),

acts as (

    select * from {{ ref('int_item_acts_in_visits') }}
    {% if is_incremental() -%}
        where
            (shop_id, item_id) in (
                select
                    days.shop_id,
                    days.item_id
                from touched.item_days as days
            )
            or (shop_id, session_key) in (
                select
                    visits.shop_id,
                    visits.session_key
                from {{ ref('fct_sessions') }} as visits
                where {{ is_touched('days', 'started_date') }}
            )
    {%- endif %}

),

sessions as (

    select * from {{ ref('fct_sessions') }}
    {% if is_incremental() %}where {{ is_day_of_touched_item('started_date') }}{% endif %}

),

orders as (

    select * from {{ ref('fct_orders') }}
    {% if is_incremental() %}where {{ is_day_of_touched_item('paid_date') }}{% endif %}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

items as (

    select * from {{ ref('stg_lake__items') }}

),

-- Since when a shop's storefront is known at all; a till has none.
known_from as (

    select
        shop_id,
        min(shop_date) as traffic_from
    from traffic
    group by shop_id

),

looked_at as (

    select
        events.shop_id,
        events.occurred_date as shop_date,
        events.item_id,
        {{ count_where("events.type = 'item_viewed'") }} as views,
        {{ count_where("events.type = 'item_added_to_cart'") }} as adds
    from events
    left join bots on events.shop_id = bots.shop_id and events.person_id = bots.person_id
    where
        events.type in ('item_viewed', 'item_added_to_cart')
        and events.person_id is not null
        and events.item_id is not null
        and bots.person_id is null
    group by events.shop_id, events.occurred_date, events.item_id

),

visits as (

    select
        acts.shop_id,
        sessions.started_date as shop_date,
        acts.session_key,
        acts.item_id,
        min(case when acts.type = 'item_viewed' then acts.occurred_at end) as viewed_at,
        max(case when acts.type = 'order_paid' then acts.occurred_at end) as paid_at
    from acts
    inner join sessions on acts.shop_id = sessions.shop_id and acts.session_key = sessions.session_key
    where not sessions.is_bot
    group by acts.shop_id, sessions.started_date, acts.session_key, acts.item_id

),

visited as (

    select
        shop_id,
        shop_date,
        item_id,
        cast(count(*) as bigint) as viewed_visits,
        {{ count_where('paid_at >= viewed_at') }} as paid_visits
    from visits
    where
        viewed_at is not null
        {% if is_incremental() %}and {{ is_touched_item_day() }}{% endif %}
    group by shop_id, shop_date, item_id

),

sold as (

    select
        order_items.shop_id,
        orders.paid_date as shop_date,
        order_items.item_id,
        cast(count(*) as bigint) as orders,
        {{ count_where('order_items.revenue_minor is null') }} as orders_without_rate,
        {{ sum_minor('order_items.units') }} as units,
        case when count(order_items.revenue_minor) > 0 then {{ sum_minor('order_items.revenue_minor') }} end as revenue_minor,
        case when count(order_items.revenue_minor) > 0 then {{ sum_minor('order_items.refunded_minor') }} end as refunded_minor,
        {{ count_where('order_items.refunded_minor > 0 or order_items.refunded_units > 0') }} as returned_orders,
        {{ sum_minor('least(order_items.refunded_units, order_items.units)') }} as returned_units
    from order_items
    inner join orders on order_items.shop_id = orders.shop_id and order_items.order_id = orders.order_id
    {% if is_incremental() %}where {{ is_touched_item_day('orders.paid_date', 'order_items.') }}{% endif %}
    group by order_items.shop_id, orders.paid_date, order_items.item_id

),

keys as (

    select
        shop_id,
        shop_date,
        item_id
    from looked_at
    union
    select
        shop_id,
        shop_date,
        item_id
    from visited
    union
    select
        shop_id,
        shop_date,
        item_id
    from sold

)

select
    keys.shop_id,
    keys.shop_date,
    keys.item_id,
    items.category,
    case when keys.shop_date >= known_from.traffic_from then coalesce(looked_at.views, 0) end as views,
    case when keys.shop_date >= known_from.traffic_from then coalesce(looked_at.adds, 0) end as adds,
    case when keys.shop_date >= known_from.traffic_from then coalesce(visited.viewed_visits, 0) end as viewed_visits,
    case when keys.shop_date >= known_from.traffic_from then coalesce(visited.paid_visits, 0) end as paid_visits,
    coalesce(sold.orders, 0) as orders,
    coalesce(sold.orders_without_rate, 0) as orders_without_rate,
    cast(coalesce(sold.units, 0) as decimal(38, 0)) as units,
    cast(case when sold.orders > 0 then sold.revenue_minor else 0 end as decimal(38, 0)) as revenue_minor,
    cast(case when sold.orders > 0 then sold.refunded_minor else 0 end as decimal(38, 0)) as refunded_minor,
    cast(
        case when sold.orders > 0 then sold.revenue_minor - sold.refunded_minor else 0 end as decimal(38, 0)
    ) as net_revenue_minor,
    coalesce(sold.returned_orders, 0) as returned_orders,
    cast(coalesce(sold.returned_units, 0) as decimal(38, 0)) as returned_units
from keys
left join known_from on keys.shop_id = known_from.shop_id
left join items on keys.shop_id = items.shop_id and keys.item_id = items.item_id
left join looked_at
    on keys.shop_id = looked_at.shop_id and keys.shop_date = looked_at.shop_date and keys.item_id = looked_at.item_id
left join visited
    on keys.shop_id = visited.shop_id and keys.shop_date = visited.shop_date and keys.item_id = visited.item_id
left join sold on keys.shop_id = sold.shop_id and keys.shop_date = sold.shop_date and keys.item_id = sold.item_id
