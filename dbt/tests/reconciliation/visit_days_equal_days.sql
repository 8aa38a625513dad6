-- The visitors of a day, and what they viewed, are those of its visits.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

visit_days as (

    select * from {{ ref('fct_visit_days') }}

),

by_visit as (

    select
        shop_id,
        shop_date,
        count(distinct case when not is_bot then person_id end) as visitors,
        sum(case when not is_bot then item_views else 0 end) as item_views,
        count(distinct case when is_bot then person_id end) as bot_visitors
    from visit_days
    group by shop_id, shop_date

)

{{ unequal('shop_days', 'by_visit', ['shop_id', 'shop_date'], ['visitors', 'item_views', 'bot_visitors']) }}
