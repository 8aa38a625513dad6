-- A shop of which no storefront is known has no visitors and no conversion, rather than none of them, and one that tells its
-- pages has views of them from the first on. The same is true of its items. Orders of which none has a rate, and refunds of
-- such, come to an unknown amount, rather than to none.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

item_days as (

    select * from {{ ref('fct_item_days') }}

),

channel_days as (

    select * from {{ ref('fct_channel_days') }}

),

recommendation_days as (

    select * from {{ ref('fct_recommendation_days') }}

),

items as (

    select * from {{ ref('dim_items') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

known_from as (

    select
        shop_id,
        min(case when {{ is_storefront_act('type') }} then occurred_date end) as traffic_from,
        min(case when type = 'page_viewed' then occurred_date end) as pages_from
    from events
    where person_id is not null
    group by shop_id

),

sold as (

    select
        shop_id,
        item_id,
        count(revenue_minor) as priced_orders
    from order_items
    group by shop_id, item_id

)

select
    shop_days.shop_id,
    shop_days.shop_date
from shop_days
left join known_from on shop_days.shop_id = known_from.shop_id
where
    (shop_days.visitors is null) <> coalesce(shop_days.shop_date < known_from.traffic_from, true)
    or (shop_days.page_views is null) <> coalesce(shop_days.shop_date < known_from.pages_from, true)
    or (shop_days.visitors is null) <> (shop_days.sessions is null)
    or (shop_days.gmv_minor is null) <> (shop_days.orders > 0 and shop_days.orders = shop_days.orders_without_rate)
    or (shop_days.gmv_minor is null and shop_days.refunds_minor is null and shop_days.net_gmv_minor is not null)
    or (shop_days.gmv_minor is not null and shop_days.refunds_minor is not null and shop_days.net_gmv_minor is null)
    or (shop_days.net_gmv_minor is null and (shop_days.gmv_minor <> 0 or shop_days.refunds_minor <> 0))
    or (shop_days.conversion is null) <> (coalesce(shop_days.sessions, 0) = 0)
union all
select
    item_days.shop_id,
    item_days.shop_date
from item_days
left join known_from on item_days.shop_id = known_from.shop_id
where
    (item_days.views is null) <> coalesce(item_days.shop_date < known_from.traffic_from, true)
    or (item_days.revenue_minor is null) <> (item_days.orders > 0 and item_days.orders = item_days.orders_without_rate)
union all
select
    shop_id,
    shop_date
from channel_days
where (net_minor is null) <> (credited_orders > 0 and priced_orders = 0)
union all
select
    shop_id,
    shop_date
from recommendation_days
where
    (click_net_revenue_minor is null) <> (click_orders > 0 and click_priced_orders = 0)
    or (shown_net_revenue_minor is null) <> (shown_orders > 0 and shown_priced_orders = 0)
union all
select
    items.shop_id,
    cast(null as date) as shop_date
from items
left join sold on items.shop_id = sold.shop_id and items.item_id = sold.item_id
where
    (items.revenue_minor is null) <> coalesce(sold.priced_orders = 0, false)
    or (items.revenue_minor is null) <> (items.refunded_minor is null)
    or (items.revenue_minor is null) <> (items.net_revenue_minor is null)
