{{ config(materialized=incremental_on_duckdb(), pre_hook="{{ delete_where(is_touched('orders')) }}") }}

-- Without numerator an order has no rate of its date (or one with which an amount would be larger than any may be): then its
-- stamp stands, if it has one.
with orders as (

    select * from {{ ref('stg_lake__orders') }}
    {{ where_touched('orders') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

rates as (

    select * from {{ ref('int_fx_rates_dated') }}

),

dated as (

    select
        orders.shop_id,
        orders.order_id,
        orders.currency = shops.currency as is_home,
        orders.home_currency = shops.currency as is_stamped,
        orders.gross_minor + orders.discount_minor + orders.shipping_minor + orders.paid_minor as largest_minor,
        case when orders.currency <> shops.currency then rates.numerator end as numerator,
        rates.denominator
    from orders
    inner join shops on orders.shop_id = shops.shop_id
    left join rates
        on orders.shop_id = rates.shop_id
        and orders.currency = rates.currency
        and orders.paid_date >= rates.rate_date
        and (orders.paid_date < rates.next_rate_date or rates.next_rate_date is null)

)

select
    shop_id,
    order_id,
    is_home,
    is_stamped,
    case when {{ in_home('largest_minor') }} is not null then numerator end as numerator,
    denominator
from dated
