with refunds as (

    select * from {{ ref('int_item_refunds_reasoned') }}

),

periods as (

    select * from {{ ref('int_item_periods_bounded') }}

),

items as (

    select * from {{ ref('stg_lake__items') }}

),

counted as (

    select
        periods.shop_id,
        periods.period_days,
        refunds.item_id,
        refunds.reason,
        cast(count(*) as bigint) as refunds,
        cast(sum(refunds.units) as bigint) as returned_units
    from periods
    inner join refunds
        on periods.shop_id = refunds.shop_id
        and refunds.refunded_date >= periods.first_date
        and refunds.refunded_date <= periods.last_date
    group by periods.shop_id, periods.period_days, refunds.item_id, refunds.reason

)

select
    counted.shop_id,
    counted.period_days,
    counted.item_id,
    counted.reason,
    items.title,
    items.title_en,
    items.category,
    counted.refunds,
    counted.returned_units
from counted
left join items on counted.shop_id = items.shop_id and counted.item_id = items.item_id
