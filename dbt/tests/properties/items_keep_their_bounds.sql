-- No item sold more often than it was looked at in the visits that looked, nothing came back that was not sold, and what needs
-- an unknown stock is unknown.
with item_periods as (

    select * from {{ ref('fct_item_periods') }}

),

item_stock as (

    select * from {{ ref('fct_item_stock') }}

)

select
    shop_id,
    item_id
from item_periods
where
    paid_visits > viewed_visits
    or viewed_visits > views
    or returned_orders > orders
    or returned_units > units
    or (sell_through_rate is null) <> (stock is null or units + stock = 0)
    or sell_through_rate > 1
    or (view_to_pay_rate is null) <> (coalesce(viewed_visits, 0) = 0)
union all
select
    shop_id,
    item_id
from item_stock
where
    (days_of_stock is null) <> (stock is null or units_30d = 0)
    or selling_days_30d <= 0
    or selling_days_30d > 30
    or (stock is null and (is_restock_candidate or is_slow_mover))
    or (is_restock_candidate and is_slow_mover)
