-- Of the discount of a whole order each item has its share by what it cost, within one unit.
with order_items as (

    select * from {{ ref('fct_order_items') }}

),

summed as (

    select
        *,
        sum(revenue_minor + order_discount_minor) over (partition by shop_id, order_id) as net_minor,
        sum(order_discount_minor) over (partition by shop_id, order_id) as discount_minor
    from order_items

)

select
    shop_id,
    order_id,
    item_id
from summed
where
    discount_minor > 0
    and abs(
        cast(order_discount_minor as double)
        - cast(discount_minor as double) * (revenue_minor + order_discount_minor) / net_minor
    ) >= 1.000001
    or refunded_minor < 0
    or refunded_minor > greatest(0, revenue_minor)
