with spine as (

    select * from {{ ref('int_shop_days_spined') }}

),

traffic as (

    select * from {{ ref('int_traffic_days_counted') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('int_refunds_valued') }}

),

customers as (

    select * from {{ ref('int_customers_within_days') }}

),

-- Since when a shop's storefront, and its pages that are of no item, are known at all.
known_from as (

    select
        shop_id,
        min(shop_date) as traffic_from,
        min(case when page_views + bot_page_views > 0 then shop_date end) as pages_from
    from traffic
    group by shop_id

),

visits as (

    select
        shop_id,
        started_date as shop_date,
        {{ count_where('not is_bot') }} as sessions,
        {{ count_where('not is_bot and orders > 0') }} as paying_sessions,
        {{ count_where('is_bot') }} as bot_sessions
    from sessions
    where is_visit
    group by shop_id, started_date

),

sales as (

    select
        shop_id,
        paid_date as shop_date,
        {{ sales_measures() }},
        {{ sum_known_minor('gross_minor') }} as gross_minor,
        {{ sum_known_minor('line_discount_minor') }} as line_discount_minor,
        {{ sum_known_minor('order_discount_minor') }} as order_discount_minor,
        {{ sum_known_minor('discount_minor') }} as discount_minor,
        {{ sum_known_minor('shipping_minor') }} as shipping_minor,
        {{ sum_known_minor('price_correction_minor') }} as price_correction_minor,
        {{ sum_known_minor('refunded_minor') }} as refunded_later_minor,
        {{ count_where('is_wholly_refunded') }} as wholly_refunded_orders,
        {{ count_where('coupons > 0') }} as coupon_orders,
        {{ customer_measures() }}
    from fct_orders
    group by shop_id, paid_date

),

returned as (

    select
        shop_id,
        refunded_date as shop_date,
        {{ refund_measures() }},
        {{ count_where("outcome <> 'counted'") }} as uncounted_refunds
    from refunds
    group by shop_id, refunded_date

)

select
    spine.shop_id,
    spine.shop_date,
    spine.is_complete,
    spine.as_of_at,
    case when spine.shop_date >= known_from.traffic_from then coalesce(traffic.visitors, 0) end as visitors,
    case when spine.shop_date >= known_from.pages_from then coalesce(traffic.page_views, 0) end as page_views,
    case when spine.shop_date >= known_from.traffic_from then coalesce(traffic.item_views, 0) end as item_views,
    case when spine.shop_date >= known_from.traffic_from then coalesce(visits.sessions, 0) end as sessions,
    case when spine.shop_date >= known_from.traffic_from then coalesce(visits.paying_sessions, 0) end as paying_sessions,
    case when spine.shop_date >= known_from.traffic_from then coalesce(traffic.bot_visitors, 0) end as bot_visitors,
    case when spine.shop_date >= known_from.pages_from then coalesce(traffic.bot_page_views, 0) end as bot_page_views,
    case when spine.shop_date >= known_from.traffic_from then coalesce(traffic.bot_item_views, 0) end as bot_item_views,
    case when spine.shop_date >= known_from.traffic_from then coalesce(visits.bot_sessions, 0) end as bot_sessions,
    coalesce(sales.orders, 0) as orders,
    coalesce(sales.orders_without_rate, 0) as orders_without_rate,
    coalesce(sales.coupon_orders, 0) as coupon_orders,
    coalesce(sales.wholly_refunded_orders, 0) as wholly_refunded_orders,
    coalesce(sales.paying_customers, 0) as paying_customers,
    cast(coalesce(sales.units, 0) as decimal(38, 0)) as units,
    {{ zero_without('sales', 'gross_minor') }} as gross_minor,
    {{ zero_without('sales', 'line_discount_minor') }} as line_discount_minor,
    {{ zero_without('sales', 'order_discount_minor') }} as order_discount_minor,
    {{ zero_without('sales', 'discount_minor') }} as discount_minor,
    {{ zero_without('sales', 'shipping_minor') }} as shipping_minor,
    {{ zero_without('sales', 'price_correction_minor') }} as price_correction_minor,
    {{ zero_without('sales', 'gmv_minor') }} as gmv_minor,
    {{ zero_without('returned', 'refunds_minor') }} as refunds_minor,
    coalesce(returned.uncounted_refunds, 0) as uncounted_refunds,
    {{ zero_without('sales', 'refunded_later_minor') }} as refunded_later_minor,
    {{ net_sales_minor() }} as net_gmv_minor,
    cast(sales.gmv_minor as double) / nullif(sales.orders - sales.orders_without_rate, 0) as order_value_minor,
    cast(sales.paid_by_customers_minor as double) / nullif(sales.customers_with_amount, 0) as customer_value_minor,
    cast(sales.units as double) / nullif(sales.orders, 0) as units_per_order,
    cast(sales.refunded_later_minor as double) / nullif(sales.gmv_minor, 0) as refund_rate_by_payment_day,
    cast({{ zero_without('returned', 'refunds_minor') }} as double) / nullif(sales.gmv_minor, 0) as refund_rate_by_refund_day,
    cast(visits.paying_sessions as double) / nullif(visits.sessions, 0) as conversion,
    customers.customers_7d,
    customers.repeat_customers_7d,
    customers.repurchase_rate_7d,
    customers.customers_30d,
    customers.repeat_customers_30d,
    customers.repurchase_rate_30d,
    customers.customers_90d,
    customers.repeat_customers_90d,
    customers.repurchase_rate_90d,
    customers.customers_365d,
    customers.repeat_customers_365d,
    customers.repurchase_rate_365d
from spine
left join known_from on spine.shop_id = known_from.shop_id
left join traffic on spine.shop_id = traffic.shop_id and spine.shop_date = traffic.shop_date
left join visits on spine.shop_id = visits.shop_id and spine.shop_date = visits.shop_date
left join sales on spine.shop_id = sales.shop_id and spine.shop_date = sales.shop_date
left join returned on spine.shop_id = returned.shop_id and spine.shop_date = returned.shop_date
left join customers on spine.shop_id = customers.shop_id and spine.shop_date = customers.shop_date
