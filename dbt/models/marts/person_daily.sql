{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched_feature('persons')) }}") }}

with as_of as (

    select * from {{ ref('int_as_of_days_chosen') }}

),

orders as (

    select
        orders.*,
        coalesce(repairs.repaired_at, orders.received_at) as known_at
    from {{ ref('int_orders_valued') }} as orders
    left join {{ ref('stg_lake__repairs') }} as repairs
        on orders.shop_id = repairs.shop_id and orders.event_id = repairs.event_id

),

events as (

    select * from {{ ref('stg_lake__events') }}
    where
        type = 'item_viewed'
        and occurred_at >= (select {{ days_later('min(event_timestamp)', -30) }} from as_of)
        {% if is_incremental() -%}
            and ({{ is_touched('persons') }} or occurred_at >= (
                select {{ days_later('min(as_of.event_timestamp)', -30) }} from as_of
                where (as_of.shop_id, as_of.event_timestamp) not in (
                    select
                        kept.shop_id,
                        kept.event_timestamp
                    from touched.as_of_kept as kept
                )
            ))
        {%- endif %}

),

-- Only what was known at the instant counts, so that a late or repaired event cannot reach back into a training set.
bought as (

    select
        as_of.shop_id,
        as_of.event_timestamp,
        orders.person_id,
        {{ count_where('orders.paid_at >= ' ~ days_later('as_of.event_timestamp', -30)) }} as orders_30d,
        {{ sum_of_feature(
            'case when orders.paid_at >= ' ~ days_later('as_of.event_timestamp', -30) ~ ' then orders.units else 0 end'
        ) }} as units_30d,
        {{ sum_of_feature(
            'case when orders.paid_at >= ' ~ days_later('as_of.event_timestamp', -30) ~ ' then orders.paid_minor else 0 end'
        ) }} as spent_minor_30d,
        max(orders.paid_at) as last_paid_at
    from as_of
    inner join orders
        on as_of.shop_id = orders.shop_id
        and orders.paid_at < as_of.event_timestamp
        and orders.known_at < as_of.event_timestamp
    where
        orders.person_id is not null
        {% if is_incremental() %}and {{ is_touched_feature('persons', 'as_of.', 'orders.') }}{% endif %}
    group by as_of.shop_id, as_of.event_timestamp, orders.person_id

),

viewed as (

    select
        as_of.shop_id,
        as_of.event_timestamp,
        events.person_id,
        cast(count(*) as bigint) as views_30d
    from as_of
    inner join events
        on as_of.shop_id = events.shop_id
        and events.occurred_at < as_of.event_timestamp
        and events.known_at < as_of.event_timestamp
        and events.occurred_at >= {{ days_later('as_of.event_timestamp', -30) }}
    where
        events.person_id is not null
        {% if is_incremental() %}and {{ is_touched_feature('persons', 'as_of.', 'events.') }}{% endif %}
    group by as_of.shop_id, as_of.event_timestamp, events.person_id

),

persons as (

    select
        shop_id,
        event_timestamp,
        person_id
    from bought
    union
    select
        shop_id,
        event_timestamp,
        person_id
    from viewed

)

select
    persons.shop_id,
    persons.person_id,
    persons.event_timestamp,
    persons.event_timestamp as created_timestamp,
    coalesce(bought.orders_30d, 0) as orders_30d,
    coalesce(bought.units_30d, 0) as units_30d,
    coalesce(bought.spent_minor_30d, 0) as spent_minor_30d,
    coalesce(viewed.views_30d, 0) as views_30d,
    cast({{ epoch_ms('bought.last_paid_at') }} as bigint) as last_order_at_ms
from persons
left join bought
    on persons.shop_id = bought.shop_id
    and persons.event_timestamp = bought.event_timestamp
    and persons.person_id = bought.person_id
left join viewed
    on persons.shop_id = viewed.shop_id
    and persons.event_timestamp = viewed.event_timestamp
    and persons.person_id = viewed.person_id
