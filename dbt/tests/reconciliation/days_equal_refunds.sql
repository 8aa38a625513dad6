-- What a shop paid back on a day is what counts of that day's refunds; those that do not count in whole are shown.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

days as (

    select
        shop_id,
        shop_date,
        uncounted_refunds,
        coalesce(coalesce(gmv_minor, 0) - net_gmv_minor, refunds_minor) as refunds_minor
    from shop_days

),

by_day as (

    select
        shop_id,
        refunded_date as shop_date,
        sum(case when outcome <> 'counted' then 1 else 0 end) as uncounted_refunds,
        sum(counted_minor) as refunds_minor
    from refunds
    group by shop_id, refunded_date

)

{{ unequal('days', 'by_day', ['shop_id', 'shop_date'], ['uncounted_refunds', 'refunds_minor']) }}
