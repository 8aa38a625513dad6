with shown as (

    select * from {{ ref('int_recommended_items_shown') }}

),

clicks as (

    select * from {{ ref('stg_lake__recommendations_clicked') }}

)

select
    shown.shop_id,
    shown.request_id,
    shown.placement,
    shown.item_id,
    shown.person_id,
    clicks.clicked_at
from shown
inner join clicks
    on shown.shop_id = clicks.shop_id
    and shown.request_id = clicks.request_id
    and shown.placement = clicks.placement
    and shown.item_id = clicks.item_id
where clicks.clicked_at >= shown.shown_at
