-- What a shop paid back on a day is the sum of that day's refunds.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

days as (

    select
        shop_id,
        shop_date,
        gmv_minor - net_gmv_minor as refunds_minor
    from shop_days

),

by_day as (

    select
        shop_id,
        refunded_date as shop_date,
        sum(amount_minor) as refunds_minor
    from refunds
    group by shop_id, refunded_date

)

{{ unequal('days', 'by_day', ['shop_id', 'shop_date'], ['refunds_minor']) }}
