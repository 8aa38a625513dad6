-- A list that another recommender made, or whose decision was lost, has none.
with shown as (

    select * from {{ ref('int_recommended_items_shown') }}

),

clicked as (

    select * from {{ ref('int_recommended_items_clicked') }}

),

followed as (

    select * from {{ ref('int_recommendations_followed') }}

),

decisions as (

    select * from {{ ref('stg_lake__decisions') }}

),

last_clicks as (

    select
        shop_id,
        request_id,
        placement,
        item_id,
        max(clicked_at) as clicked_at
    from clicked
    group by shop_id, request_id, placement, item_id

),

summed as (

    select
        shop_id,
        request_id,
        placement,
        item_id,
        {{ count_where("act = 'add'") }} as adds,
        {{ count_where("act = 'payment' and followed = 'click'") }} as click_orders,
        {{ count_where("followed = 'click' and revenue_minor is not null") }} as click_priced_orders,
        {{ sum_minor("case when act = 'payment' and followed = 'click' then units end") }} as click_units,
        {{ sum_minor("case when followed = 'click' then revenue_minor end") }} as click_revenue_minor,
        {{ sum_minor("case when followed = 'click' then net_revenue_minor end") }} as click_net_revenue_minor,
        {{ count_where("followed = 'showing'") }} as shown_orders,
        {{ count_where("followed = 'showing' and revenue_minor is not null") }} as shown_priced_orders,
        {{ sum_minor("case when followed = 'showing' then units end") }} as shown_units,
        {{ sum_minor("case when followed = 'showing' then revenue_minor end") }} as shown_revenue_minor,
        {{ sum_minor("case when followed = 'showing' then net_revenue_minor end") }} as shown_net_revenue_minor
    from followed
    group by shop_id, request_id, placement, item_id

)

select
    shown.shop_id,
    shown.request_id,
    shown.placement,
    shown.item_id,
    shown.place,
    shown.person_id,
    shown.shown_at,
    shown.shown_date,
    shown.model_version,
    shown.reason,
    shown.person_kind,
    decisions.served_by,
    decisions.model,
    decisions.rules_version,
    decisions.arm,
    last_clicks.clicked_at as last_clicked_at,
    last_clicks.clicked_at is not null as is_clicked,
    coalesce(summed.adds, 0) > 0 as is_added,
    coalesce(summed.click_orders, 0) as click_orders,
    coalesce(summed.click_priced_orders, 0) as click_priced_orders,
    coalesce(summed.click_units, 0) as click_units,
    case
        when coalesce(summed.click_orders, 0) = 0 then 0
        when summed.click_priced_orders > 0 then summed.click_revenue_minor
    end as click_revenue_minor,
    case
        when coalesce(summed.click_orders, 0) = 0 then 0
        when summed.click_priced_orders > 0 then summed.click_net_revenue_minor
    end as click_net_revenue_minor,
    coalesce(summed.shown_orders, 0) as shown_orders,
    coalesce(summed.shown_priced_orders, 0) as shown_priced_orders,
    coalesce(summed.shown_units, 0) as shown_units,
    case
        when coalesce(summed.shown_orders, 0) = 0 then 0
        when summed.shown_priced_orders > 0 then summed.shown_revenue_minor
    end as shown_revenue_minor,
    case
        when coalesce(summed.shown_orders, 0) = 0 then 0
        when summed.shown_priced_orders > 0 then summed.shown_net_revenue_minor
    end as shown_net_revenue_minor
from shown
left join decisions
    on shown.shop_id = decisions.shop_id
    and shown.request_id = decisions.request_id
    and shown.item_id = decisions.item_id
left join last_clicks
    on shown.shop_id = last_clicks.shop_id
    and shown.request_id = last_clicks.request_id
    and shown.placement = last_clicks.placement
    and shown.item_id = last_clicks.item_id
left join summed
    on shown.shop_id = summed.shop_id
    and shown.request_id = summed.request_id
    and shown.placement = summed.placement
    and shown.item_id = summed.item_id
