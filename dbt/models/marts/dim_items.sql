with items as (

    select * from {{ ref('stg_lake__items') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

bots as (

    select * from {{ ref('int_bots_labelled') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

traffic as (

    select * from {{ ref('int_traffic_days_counted') }}

),

-- Shops of which a storefront is known; a till has none.
storefronts as (

    select distinct shop_id from traffic

),

viewed as (

    select
        events.shop_id,
        events.item_id,
        cast(count(*) as bigint) as views
    from events
    left join bots on events.shop_id = bots.shop_id and events.person_id = bots.person_id
    where events.type = 'item_viewed' and events.person_id is not null and bots.person_id is null
    group by events.shop_id, events.item_id

),

sold as (

    select
        shop_id,
        item_id,
        cast(count(*) as bigint) as orders,
        {{ sum_minor('units') }} as units,
        {{ sum_known_minor('revenue_minor') }} as revenue_minor,
        {{ sum_known_minor('refunded_minor') }} as refunded_minor
    from order_items
    group by shop_id, item_id

)

select
    items.shop_id,
    items.item_id,
    items.title,
    items.title_en,
    items.category,
    items.brand,
    items.unit_price_minor,
    items.currency,
    items.stock,
    items.status,
    case when storefronts.shop_id is not null then coalesce(viewed.views, 0) end as views,
    coalesce(sold.orders, 0) as orders,
    cast(coalesce(sold.units, 0) as decimal(38, 0)) as units,
    {{ zero_without('sold', 'revenue_minor') }} as revenue_minor,
    {{ zero_without('sold', 'refunded_minor') }} as refunded_minor,
    cast(
        case when sold.shop_id is null then 0 else sold.revenue_minor - sold.refunded_minor end as decimal(38, 0)
    ) as net_revenue_minor
from items
left join storefronts on items.shop_id = storefronts.shop_id
left join viewed on items.shop_id = viewed.shop_id and items.item_id = viewed.item_id
left join sold on items.shop_id = sold.shop_id and items.item_id = sold.item_id
