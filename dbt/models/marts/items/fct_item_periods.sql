with periods as (

    select * from {{ ref('int_item_periods_bounded') }}

),

item_days as (

    select * from {{ ref('fct_item_days') }}
    where shop_date >= (select min(periods.first_date) from periods)

),

items as (

    select * from {{ ref('stg_lake__items') }}

),

banded as (

    select * from {{ ref('int_items_banded') }}

),

summed as (

    select
        periods.shop_id,
        periods.period_days,
        periods.first_date,
        periods.last_date,
        item_days.item_id,
        {{ item_measures('item_days') }}
    from periods
    inner join item_days
        on periods.shop_id = item_days.shop_id
        and item_days.shop_date >= periods.first_date
        and item_days.shop_date <= periods.last_date
    group by periods.shop_id, periods.period_days, periods.first_date, periods.last_date, item_days.item_id

)

select
    summed.shop_id,
    summed.period_days,
    summed.item_id,
    summed.first_date,
    summed.last_date,
    items.title,
    items.title_en,
    items.category,
    items.brand,
    items.status,
    items.unit_price_minor,
    items.currency,
    coalesce(banded.price_band, 0) as price_band,
    items.stock,
    summed.views,
    summed.adds,
    summed.viewed_visits,
    summed.paid_visits,
    {{ ratio('summed.paid_visits', 'summed.viewed_visits') }} as view_to_pay_rate,
    summed.orders,
    summed.orders_without_rate,
    summed.units,
    summed.revenue_minor,
    summed.refunded_minor,
    summed.net_revenue_minor,
    summed.returned_orders,
    summed.returned_units,
    {{ ratio('summed.returned_orders', 'summed.orders') }} as return_rate,
    {{ ratio('summed.units', '(summed.units + items.stock)') }} as sell_through_rate
from summed
left join items on summed.shop_id = items.shop_id and summed.item_id = items.item_id
left join banded on summed.shop_id = banded.shop_id and summed.item_id = banded.item_id
