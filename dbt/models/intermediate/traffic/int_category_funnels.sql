with acts_in_visits as (

    select * from {{ ref('int_acts_in_visits') }}

),

item_acts as (

    select * from {{ ref('int_item_acts_in_visits') }}

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

views as (

    select
        first_views.shop_id,
        first_views.session_key,
        first_views.category,
        first_views.viewed_at,
        {{ funnel_rules('first_views.viewed_at') }}
    from first_views
    left join shops on first_views.shop_id = shops.shop_id

),

carts as (

    select
        views.shop_id,
        views.session_key,
        views.category,
        views.is_in_order,
        views.closes_at,
        min(acts.occurred_at) as added_at
    from views
    inner join acts_on_items as acts
        on views.shop_id = acts.shop_id
        and views.session_key = acts.session_key
        and views.category is not distinct from acts.category
    where
        acts.type = 'item_added_to_cart'
        {{ counts_after('views.viewed_at') }}
    group by views.shop_id, views.session_key, views.category, views.is_in_order, views.closes_at

),

-- A checkout names no items; it is one of all that was put into the cart before it.
checkouts as (

    select
        views.shop_id,
        views.session_key,
        views.category,
        views.is_in_order,
        views.closes_at,
        min(acts.occurred_at) as checked_out_at
    from carts as views
    inner join acts_in_visits as acts on views.shop_id = acts.shop_id and views.session_key = acts.session_key
    where
        acts.type = 'checkout_started'
        {{ counts_after('views.added_at') }}
    group by views.shop_id, views.session_key, views.category, views.is_in_order, views.closes_at

),

payments as (

    select
        views.shop_id,
        views.session_key,
        views.category,
        min(acts.occurred_at) as paid_at
    from checkouts as views
    inner join acts_on_items as acts
        on views.shop_id = acts.shop_id
        and views.session_key = acts.session_key
        and views.category is not distinct from acts.category
    where
        acts.type = 'order_paid'
        {{ counts_after('views.checked_out_at') }}
    group by views.shop_id, views.session_key, views.category

)

select
    views.shop_id,
    views.session_key,
    views.category,
    carts.added_at is not null as has_added,
    checkouts.checked_out_at is not null as has_checked_out,
    payments.paid_at is not null as has_paid
from views
left join carts
    on views.shop_id = carts.shop_id
    and views.session_key = carts.session_key
    and views.category is not distinct from carts.category
left join checkouts
    on views.shop_id = checkouts.shop_id
    and views.session_key = checkouts.session_key
    and views.category is not distinct from checkouts.category
left join payments
    on views.shop_id = payments.shop_id
    and views.session_key = payments.session_key
    and views.category is not distinct from payments.category
