{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('categorised')) }}") }}

with acts_in_visits as (

    select * from {{ ref('int_acts_in_visits') }}
    {{ where_touched('categorised') }}

),

item_acts as (

    select * from {{ ref('int_item_acts_in_visits') }}
    {{ where_touched('categorised') }}

),

items as (

    select * from {{ ref('stg_lake__items') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

-- Without a category is what the catalogue does not know.
acts_on_items as (

    select distinct
        item_acts.shop_id,
        item_acts.session_key,
        items.category,
        item_acts.type,
        item_acts.occurred_at
    from item_acts
    left join items on item_acts.shop_id = items.shop_id and item_acts.item_id = items.item_id

),

first_views as (

    select
        shop_id,
        session_key,
        category,
        min(occurred_at) as viewed_at
    from acts_on_items
    where type = 'item_viewed'
    group by shop_id, session_key, category

),

-- A checkout names no items; it is one of all that was put into the cart before it.
{{ funnel_steps('acts_on_items', 'acts_in_visits', ['category']) }}

select
    views.shop_id,
    views.session_key,
    views.category,
    carts.added_at is not null as has_added,
    checkouts.checked_out_at is not null as has_checked_out,
    payments.paid_at is not null as has_paid
from views
left join carts on {{ is_of_funnel('views', 'carts', ['category']) }}
left join checkouts on {{ is_of_funnel('views', 'checkouts', ['category']) }}
left join payments on {{ is_of_funnel('views', 'payments', ['category']) }}
