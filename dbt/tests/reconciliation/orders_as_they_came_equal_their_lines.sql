-- The same in the currency in which orders were paid.
with orders as (

    select * from {{ ref('stg_lake__orders') }}

),

order_lines as (

    select * from {{ ref('stg_lake__order_lines') }}

),

by_order as (

    select
        shop_id,
        order_id,
        gross_minor,
        paid_minor - shipping_minor + discount_minor as goods_minor
    from orders

),

by_lines as (

    select
        shop_id,
        order_id,
        sum(quantity * unit_price_minor) as gross_minor,
        sum(net_minor + discount_minor) as goods_minor
    from order_lines
    group by shop_id, order_id

)

{{ unequal('by_order', 'by_lines', ['shop_id', 'order_id'], ['gross_minor', 'goods_minor']) }}
