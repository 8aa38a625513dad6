{{ config(post_hook="{{ drop_months_of_changed_thresholds() }}") }}

-- What the shop set comes first, then what an earlier build decided (as long as the shop keeps its currency).
with derived as (

    select * from {{ ref('int_customer_thresholds_derived') }}

),

settings as (

    select * from {{ ref('stg_lake__customer_settings') }}

),

kept as (

    select * from {{ ref('stg_lake__customer_thresholds') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

)

select
    derived.shop_id,
    derived.month,
    derived.measure,
    derived.score,
    coalesce(settings.threshold, active.threshold, kept.threshold, derived.threshold) as threshold,
    shops.currency,
    case
        when coalesce(settings.threshold, active.threshold) is not null then 'set'
        when kept.threshold is not null then 'computed'
        else derived.origin
    end as origin,
    settings.threshold is not null or active.threshold is not null or kept.threshold is not null or derived.is_final
        as is_final
from derived
inner join shops on derived.shop_id = shops.shop_id
left join settings
    on derived.shop_id = settings.shop_id
    and derived.measure = settings.measure
    and derived.score = settings.score
-- Whoever is new for as long as active customers are active, unless that is set, too.
left join settings as active
    on derived.shop_id = active.shop_id and derived.measure = 'new_days' and active.measure = 'active_days'
left join kept
    on derived.shop_id = kept.shop_id
    and derived.month = kept.month
    and derived.measure = kept.measure
    and derived.score = kept.score
    and shops.currency = kept.currency
