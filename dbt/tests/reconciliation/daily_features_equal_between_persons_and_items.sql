-- At each instant the persons of a shop had bought the units that its items sold, and looked as often as its items were viewed;
-- what nobody known did is added.
with person_daily as (

    select * from {{ ref('person_daily') }}

),

item_daily as (

    select * from {{ ref('item_daily') }}

),

as_of as (

    select * from {{ ref('int_as_of_days_chosen') }}

),

orders as (

    select * from {{ ref('stg_lake__orders') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

of_nobody as (

    select
        as_of.shop_id,
        as_of.event_timestamp,
        orders.units,
        0 as views
    from as_of
    inner join orders
        on as_of.shop_id = orders.shop_id
        and orders.paid_at < as_of.event_timestamp
        and orders.received_at < as_of.event_timestamp
        and orders.paid_at >= {{ days_later('as_of.event_timestamp', -30) }}
    where orders.person_id is null
    union all
    select
        as_of.shop_id,
        as_of.event_timestamp,
        0 as units,
        1 as views
    from as_of
    inner join events
        on as_of.shop_id = events.shop_id
        and events.occurred_at < as_of.event_timestamp
        and events.received_at < as_of.event_timestamp
        and events.occurred_at >= {{ days_later('as_of.event_timestamp', -30) }}
    where events.type = 'item_viewed' and events.person_id is null

),

parts as (

    select
        shop_id,
        event_timestamp,
        units_30d as units,
        views_30d as views
    from person_daily
    union all
    select
        shop_id,
        event_timestamp,
        units,
        views
    from of_nobody

),

persons as (

    select
        shop_id,
        event_timestamp,
        sum(units) as units,
        sum(views) as views
    from parts
    group by shop_id, event_timestamp

),

items as (

    select
        shop_id,
        event_timestamp,
        sum(units_30d) as units,
        sum(views_30d) as views
    from item_daily
    group by shop_id, event_timestamp

)

{{ unequal('persons', 'items', ['shop_id', 'event_timestamp'], ['units', 'views']) }}
