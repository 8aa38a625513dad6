-- Units and revenue of a shop's items, and of what it sold outside its catalogue, are those of its order lines; revenue is what
-- its orders brought in without shipping and before their own discounts.
with dim_items as (

    select * from {{ ref('dim_items') }}

),

order_lines as (

    select * from {{ ref('stg_lake__order_lines') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

outside as (

    select
        order_lines.shop_id,
        order_lines.quantity as units,
        order_lines.net_minor + order_lines.discount_minor as goods_minor
    from order_lines
    left join dim_items on order_lines.shop_id = dim_items.shop_id and order_lines.item_id = dim_items.item_id
    where dim_items.item_id is null

),

line_discounts as (

    select
        order_lines.shop_id,
        order_lines.discount_minor
    from order_lines
    inner join dim_items on order_lines.shop_id = dim_items.shop_id and order_lines.item_id = dim_items.item_id

),

parts as (

    select
        shop_id,
        units,
        revenue_minor as goods_minor
    from dim_items
    union all
    select
        shop_id,
        0 as units,
        discount_minor as goods_minor
    from line_discounts
    union all
    select
        shop_id,
        units,
        goods_minor
    from outside

),

items as (

    select
        shop_id,
        sum(units) as units,
        sum(goods_minor) as goods_minor
    from parts
    group by shop_id

),

orders as (

    select
        shop_id,
        sum(units) as units,
        sum(paid_minor - shipping_minor + discount_minor) as goods_minor
    from fct_orders
    group by shop_id

)

{{ unequal('items', 'orders', ['shop_id'], ['units', 'goods_minor']) }}
