{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched_feature('items')) }}") }}

with as_of as (

    select * from {{ ref('int_as_of_days_chosen') }}
    {% if is_incremental() %}where {{ is_touched_feature('items') }}{% endif %}

),

orders as (

    select
        orders.*,
        coalesce(repairs.repaired_at, orders.received_at) as known_at
    from {{ ref('stg_lake__orders') }} as orders
    left join {{ ref('stg_lake__repairs') }} as repairs
        on orders.shop_id = repairs.shop_id and orders.event_id = repairs.event_id

),

order_lines as (

    select * from {{ ref('stg_lake__order_lines') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}
    where type = 'item_viewed' and occurred_at >= (select {{ days_later('min(event_timestamp)', -30) }} from as_of)

),

sold as (

    select
        as_of.shop_id,
        as_of.event_timestamp,
        order_lines.item_id,
        cast(count(distinct order_lines.order_id) as bigint) as orders_30d,
        {{ sum_of_feature('order_lines.quantity') }} as units_30d,
        cast(count(distinct order_lines.person_id) as bigint) as buyers_30d
    from as_of
    inner join orders
        on as_of.shop_id = orders.shop_id
        and orders.paid_at < as_of.event_timestamp
        and orders.known_at < as_of.event_timestamp
        and orders.paid_at >= {{ days_later('as_of.event_timestamp', -30) }}
    inner join order_lines on orders.shop_id = order_lines.shop_id and orders.order_id = order_lines.order_id
    group by as_of.shop_id, as_of.event_timestamp, order_lines.item_id

),

viewed as (

    select
        as_of.shop_id,
        as_of.event_timestamp,
        events.item_id,
        cast(count(*) as bigint) as views_30d
    from as_of
    inner join events
        on as_of.shop_id = events.shop_id
        and events.occurred_at < as_of.event_timestamp
        and events.known_at < as_of.event_timestamp
        and events.occurred_at >= {{ days_later('as_of.event_timestamp', -30) }}
    group by as_of.shop_id, as_of.event_timestamp, events.item_id

),

items as (

    select
        shop_id,
        event_timestamp,
        item_id
    from sold
    union
    select
        shop_id,
        event_timestamp,
        item_id
    from viewed

)

select
    items.shop_id,
    items.item_id,
    items.event_timestamp,
    items.event_timestamp as created_timestamp,
    coalesce(sold.orders_30d, 0) as orders_30d,
    coalesce(sold.units_30d, 0) as units_30d,
    coalesce(sold.buyers_30d, 0) as buyers_30d,
    coalesce(viewed.views_30d, 0) as views_30d
from items
left join sold
    on items.shop_id = sold.shop_id
    and items.event_timestamp = sold.event_timestamp
    and items.item_id = sold.item_id
left join viewed
    on items.shop_id = viewed.shop_id
    and items.event_timestamp = viewed.event_timestamp
    and items.item_id = viewed.item_id
