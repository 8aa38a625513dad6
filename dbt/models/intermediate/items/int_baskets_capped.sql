-- An order of very many items says little of any two of them and has pairs by the square: the named rule is that only its
-- pair_most_items items of the greatest value count (equal ones by their id).
with order_items as (

    select * from {{ ref('fct_order_items') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

shops as (

    select
        shop_id,
        max(paid_date) as last_date
    from orders
    group by shop_id

),

ranked as (

    select
        order_items.shop_id,
        order_items.order_id,
        order_items.item_id,
        row_number() over (
            partition by order_items.shop_id, order_items.order_id
            order by coalesce(order_items.gross_minor, 0) desc, order_items.item_id
        ) as item_rank
    from order_items
    inner join orders on order_items.shop_id = orders.shop_id and order_items.order_id = orders.order_id
    inner join shops on orders.shop_id = shops.shop_id
    where orders.paid_date > {{ days_later('shops.last_date', '-(' ~ var('pair_days') ~ ')') }}

)

select
    shop_id,
    order_id,
    item_id
from ranked
where item_rank <= {{ var('pair_most_items') }}
