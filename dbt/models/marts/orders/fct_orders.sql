{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('orders')) }}") }}

with orders as (

    select * from {{ now_written(ref('int_orders_valued')) }}

),

refunds as (

    select * from {{ ref('int_refunds_summed') }}

),

{% if is_incremental() %}
    earlier as (

        select
            shop_id,
            person_id,
            count(*) as orders
        from {{ this }}
        group by shop_id, person_id

    ),
{% endif %}

numbered as (

    select
        orders.*,
        coalesce(refunds.refunds, 0) as refunds,
        refunds.last_refunded_date,
        case when orders.paid_minor is not null then coalesce(refunds.refunded_minor, 0) end as refunded_minor,
        coalesce(refunds.refunded_in_currency_minor, 0) > 0
        and refunds.refunded_in_currency_minor >= orders.paid_in_currency_minor as is_wholly_refunded,
        case
            when orders.person_id is not null
                then {% if is_incremental() %}coalesce(earlier.orders, 0) +{% endif %} row_number() over (
                    partition by orders.shop_id, orders.person_id order by orders.paid_at, orders.order_id
                )
        end as order_number
    from orders
    left join refunds on orders.shop_id = refunds.shop_id and orders.order_id = refunds.order_id
    {% if is_incremental() %}
        left join earlier on orders.shop_id = earlier.shop_id and orders.person_id = earlier.person_id
    {% endif %}

)

select
    shop_id,
    order_id,
    person_id,
    paid_at,
    paid_date,
    currency,
    paid_in_currency_minor,
    lines,
    units,
    gross_minor,
    line_discount_minor,
    cast(discount_minor - line_discount_minor as bigint) as order_discount_minor,
    discount_minor,
    shipping_minor,
    cast(paid_minor - gross_minor + discount_minor - shipping_minor as bigint) as price_correction_minor,
    paid_minor,
    cast(refunded_minor as bigint) as refunded_minor,
    cast(paid_minor - refunded_minor as bigint) as net_minor,
    refunds,
    last_refunded_date,
    is_wholly_refunded,
    cast(order_number as bigint) as order_number,
    order_number > 1 as is_repeat,
    coupons,
    channel,
    campaign,
    share_id,
    group_buy_id
from numbered
