with items as (

    select * from {{ ref('int_recommended_items_traced') }}

),

days as (

    select * from {{ ref('int_shop_days_spined') }}

),

summed as (

    select
        shop_id,
        shown_date,
        placement,
        model_version,
        reason,
        person_kind,
        served_by,
        model,
        rules_version,
        arm,
        max(last_clicked_at) as last_clicked_at,
        {{ recommendation_measures() }}
    from items
    group by shop_id, shown_date, placement, model_version, reason, person_kind, served_by, model, rules_version, arm

)

select
    summed.shop_id,
    summed.shown_date as shop_date,
    summed.placement,
    summed.model_version,
    summed.reason,
    summed.person_kind,
    summed.served_by,
    summed.model,
    summed.rules_version,
    summed.arm,
    days.as_of_at
    >= greatest(days.ends_at, coalesce(summed.last_clicked_at, days.ends_at))
    + interval '1' hour * ({{ var('recommendation_hours') }}) as is_settled,
    summed.impressions,
    summed.clicks,
    {{ ratio('summed.clicks', 'summed.impressions') }} as click_through_rate,
    summed.clicks_added,
    {{ ratio('summed.clicks_added', 'summed.clicks') }} as add_rate,
    summed.click_orders,
    summed.click_priced_orders,
    summed.click_units,
    summed.click_revenue_minor,
    summed.click_net_revenue_minor,
    summed.shown_orders,
    summed.shown_priced_orders,
    summed.shown_units,
    summed.shown_revenue_minor,
    summed.shown_net_revenue_minor
from summed
inner join days on summed.shop_id = days.shop_id and summed.shown_date = days.shop_date
