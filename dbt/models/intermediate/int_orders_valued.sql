{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('orders')) }}") }}

with orders as (

    select * from {{ ref('stg_lake__orders') }}
    {{ where_touched('orders') }}

),

rated as (

    select * from {{ now_written(ref('int_orders_rated')) }}

),

order_lines as (

    select * from {{ ref('stg_lake__order_lines') }}
    {{ where_touched('orders') }}

),

valued_lines as (

    select * from {{ now_written(ref('int_order_lines_valued')) }}

),

native as (

    select
        shop_id,
        order_id,
        cast(sum(net_minor) as bigint) as net_minor
    from order_lines
    group by shop_id, order_id

),

home as (

    select
        shop_id,
        order_id,
        cast(sum(gross_minor) as bigint) as gross_minor,
        cast(sum(discount_minor) as bigint) as discount_minor,
        cast(sum(net_minor) as bigint) as net_minor
    from valued_lines
    group by shop_id, order_id

),

dated as (

    select
        orders.*,
        rated.is_home,
        rated.is_stamped,
        rated.numerator,
        rated.denominator,
        native.net_minor as lines_minor,
        home.gross_minor as lines_home_gross_minor,
        home.discount_minor as lines_home_discount_minor,
        home.net_minor as lines_home_net_minor
    from orders
    inner join rated on orders.shop_id = rated.shop_id and orders.order_id = rated.order_id
    left join native on orders.shop_id = native.shop_id and orders.order_id = native.order_id
    left join home on orders.shop_id = home.shop_id and orders.order_id = home.order_id

)

select
    shop_id,
    order_id,
    event_id,
    person_id,
    paid_at,
    received_at,
    paid_date,
    currency,
    is_home,
    lines,
    units,
    coupons,
    channel,
    campaign,
    share_id,
    group_buy_id,
    paid_minor as paid_in_currency_minor,
    case
        when is_home then gross_minor
        when numerator is not null then lines_home_gross_minor
        when is_stamped then home_gross_minor
    end as gross_minor,
    case
        when is_home then discount_minor
        when numerator is not null
            then
                lines_home_discount_minor
                + {{ in_home('lines_minor') }} - {{ in_home('(paid_minor - shipping_minor)') }}
        when is_stamped then home_discount_minor
    end as discount_minor,
    cast(lines_home_discount_minor as bigint) as line_discount_minor,
    case
        when is_home then shipping_minor
        when numerator is not null
            then {{ in_home('paid_minor') }} - {{ in_home('(paid_minor - shipping_minor)') }}
        when is_stamped then home_shipping_minor
    end as shipping_minor,
    case
        when is_home then paid_minor
        when numerator is not null then {{ in_home('paid_minor') }}
        when is_stamped then home_paid_minor
    end as paid_minor
from dated
