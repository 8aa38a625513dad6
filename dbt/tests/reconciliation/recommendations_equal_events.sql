-- By shop, the items that were shown and clicked by day are those of the events, and what followed is sold within the time in
-- which it may follow, and once.
with days as (

    select * from {{ ref('fct_recommendation_days') }}

),

lists as (

    select * from {{ ref('fct_recommendation_lists') }}

),

shown as (

    select * from {{ ref('stg_lake__recommendations_shown') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

followed as (

    select * from {{ ref('int_recommendations_followed') }}

),

clicks as (

    select * from {{ ref('stg_lake__recommendations_clicked') }}

),

by_day as (

    select
        shop_id,
        sum(impressions) as impressions,
        sum(click_orders + shown_orders) as orders_that_followed
    from days
    group by shop_id

),

requests as (

    select distinct
        shown.shop_id,
        shown.request_id,
        shown.placement
    from shown
    left join sessions on shown.shop_id = sessions.shop_id and shown.person_id = sessions.person_id and sessions.is_bot
    where sessions.session_key is null

),

by_list as (

    select
        shop_id,
        sum(impressions) as impressions
    from lists
    group by shop_id

),

payments as (

    select
        shop_id,
        count(distinct act_id || '/' || item_id) as orders_that_followed
    from followed
    where act = 'payment'
    group by shop_id

),

of_events as (

    select
        by_list.shop_id,
        by_list.impressions,
        coalesce(payments.orders_that_followed, 0) as orders_that_followed
    from by_list
    left join payments on by_list.shop_id = payments.shop_id

),

-- A list of nobody who may count, or one of the events that is missing.
other_lists as (

    select coalesce(lists.shop_id, requests.shop_id) as shop_id
    from lists
    full outer join requests
        on lists.shop_id = requests.shop_id
        and lists.request_id = requests.request_id
        and lists.placement = requests.placement
    where lists.request_id is null or requests.request_id is null

),

too_late as (

    select followed.shop_id
    from followed
    left join clicks
        on followed.shop_id = clicks.shop_id
        and followed.request_id = clicks.request_id
        and followed.placement = clicks.placement
        and followed.item_id = clicks.item_id
        and followed.acted_at >= clicks.clicked_at
        and followed.acted_at <= clicks.clicked_at + interval '1' hour * ({{ var('recommendation_hours') }})
    where followed.followed = 'click' and clicks.event_id is null

),

sums as (

    {{ unequal('by_day', 'of_events', ['shop_id'], ['impressions', 'orders_that_followed']) }}

)

select shop_id from sums
union all
select shop_id from other_lists
union all
select shop_id from too_late
