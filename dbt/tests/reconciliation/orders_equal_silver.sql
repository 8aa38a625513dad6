-- Each order of silver is in the marts once, by its id, and none is there that silver does not have.
with silver as (

    select
        shop_id,
        order_id,
        1 as orders,
        lines,
        units
    from {{ ref('stg_lake__orders') }}

),

marts as (

    select
        shop_id,
        order_id,
        count(*) as orders,
        sum(lines) as lines,
        sum(units) as units
    from {{ ref('fct_orders') }}
    group by shop_id, order_id

)

{{ unequal('silver', 'marts', ['shop_id', 'order_id'], ['orders', 'lines', 'units']) }}
