-- An order's own sums are those of its lines. What the lines do not carry of the discount is the order's own.
with orders as (

    select * from {{ ref('fct_orders') }}

),

order_lines as (

    select * from {{ ref('int_order_lines_valued') }}

),

by_order as (

    select
        shop_id,
        order_id,
        lines,
        units,
        gross_minor,
        paid_minor - shipping_minor + discount_minor as goods_minor
    from orders

),

by_lines as (

    select
        shop_id,
        order_id,
        count(*) as lines,
        sum(quantity) as units,
        sum(gross_minor) as gross_minor,
        sum(net_minor + discount_minor) as goods_minor
    from order_lines
    group by shop_id, order_id

)

{{ unequal('by_order', 'by_lines', ['shop_id', 'order_id'], ['lines', 'units', 'gross_minor', 'goods_minor']) }}
