{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('visits')) }}") }}

with sessions as (

    select * from {{ ref('stg_lake__sessions') }}
    {{ where_touched('visits') }}

),

acts as (

    select * from {{ now_written(ref('int_acts_in_visits')) }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

storefront as (

    select
        shop_id,
        session_key,
        count(*) as storefront_acts
    from acts
    where {{ is_storefront_act('type') }}
    group by shop_id, session_key

),

first_views as (

    select
        shop_id,
        session_key,
        min(occurred_at) as viewed_at
    from acts
    where type = 'item_viewed'
    group by shop_id, session_key

),

{{ funnel_steps('acts', 'acts') }},

payments_after_views as (

    select
        views.shop_id,
        views.session_key,
        min(acts.occurred_at) as paid_at
    from views
    inner join acts on views.shop_id = acts.shop_id and views.session_key = acts.session_key
    where
        acts.type = 'order_paid'
        {{ counts_after('views.viewed_at') }}
    group by views.shop_id, views.session_key

),

first_adds as (

    select
        shop_id,
        session_key,
        min(occurred_at) as added_at
    from acts
    where type = 'item_added_to_cart'
    group by shop_id, session_key

)

select
    sessions.shop_id,
    sessions.session_key,
    sessions.person_id,
    storefront.storefront_acts is not null as is_visit,
    views.viewed_at is not null as has_viewed,
    carts.added_at is not null as has_added,
    checkouts.checked_out_at is not null as has_checked_out,
    payments.paid_at is not null as has_paid,
    case
        when sessions.orders = 0 then null
        when payments.paid_at is not null then 'cart'
        when first_adds.added_at <= payments_after_views.paid_at then 'other'
        when payments_after_views.paid_at is not null then 'without_cart'
        else 'other'
    end as paid_path
from sessions
left join storefront on sessions.shop_id = storefront.shop_id and sessions.session_key = storefront.session_key
left join views on sessions.shop_id = views.shop_id and sessions.session_key = views.session_key
left join carts on sessions.shop_id = carts.shop_id and sessions.session_key = carts.session_key
left join checkouts on sessions.shop_id = checkouts.shop_id and sessions.session_key = checkouts.session_key
left join payments on sessions.shop_id = payments.shop_id and sessions.session_key = payments.session_key
left join payments_after_views
    on sessions.shop_id = payments_after_views.shop_id and sessions.session_key = payments_after_views.session_key
left join first_adds on sessions.shop_id = first_adds.shop_id and sessions.session_key = first_adds.session_key
