{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('visits')) }}") }}

with acts as (

    select * from {{ now_written(ref('int_acts_in_visits')) }}

),

orders as (

    select * from {{ ref('stg_lake__orders') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

)

select
    acts.shop_id,
    acts.session_key,
    acts.type,
    acts.occurred_at,
    acts.person_id,
    acts.item_id
from acts
where acts.type in ('item_viewed', 'item_added_to_cart') and acts.item_id is not null
union all
select
    acts.shop_id,
    acts.session_key,
    acts.type,
    acts.occurred_at,
    acts.person_id,
    order_items.item_id
from acts
inner join orders on acts.shop_id = orders.shop_id and acts.event_id = orders.event_id
inner join order_items on orders.shop_id = order_items.shop_id and orders.order_id = order_items.order_id
where acts.type = 'order_paid'
