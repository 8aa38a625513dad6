-- By shop, what the decisions of serving are joined to are still the items that were shown, each once, with what followed them.
with days as (

    select * from {{ ref('fct_recommendation_days') }}

),

shown as (

    select * from {{ ref('int_recommended_items_shown') }}

),

clicked as (

    select * from {{ ref('int_recommended_items_clicked') }}

),

followed as (

    select * from {{ ref('int_recommendations_followed') }}

),

clicked_items as (

    select distinct
        shop_id,
        request_id,
        placement,
        item_id
    from clicked

),

clicks as (

    select
        shop_id,
        count(*) as clicks
    from clicked_items
    group by shop_id

),

payments as (

    select
        shop_id,
        count(*) as orders,
        {{ sum_minor('net_revenue_minor') }} as net_revenue_minor
    from followed
    where act = 'payment'
    group by shop_id

),

impressions as (

    select
        shop_id,
        count(*) as impressions
    from shown
    group by shop_id

),

of_days as (

    select
        shop_id,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(click_orders + shown_orders) as orders,
        coalesce(sum(click_net_revenue_minor), 0) + coalesce(sum(shown_net_revenue_minor), 0) as net_revenue_minor
    from days
    group by shop_id

),

of_showings as (

    select
        impressions.shop_id,
        impressions.impressions,
        coalesce(clicks.clicks, 0) as clicks,
        coalesce(payments.orders, 0) as orders,
        coalesce(payments.net_revenue_minor, 0) as net_revenue_minor
    from impressions
    left join clicks on impressions.shop_id = clicks.shop_id
    left join payments on impressions.shop_id = payments.shop_id

)

{{ unequal('of_days', 'of_showings', ['shop_id'], ['impressions', 'clicks', 'orders', 'net_revenue_minor']) }}
