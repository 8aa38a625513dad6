-- kept_until: null while something of the order was kept; from that day on all of it had come back, in its own currency.
with orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('stg_lake__refunds') }}

),

returned as (

    select
        orders.shop_id,
        orders.order_id,
        orders.paid_in_currency_minor,
        greatest(orders.paid_date, refunds.refunded_date) as refunded_date,
        sum(cast(coalesce(refunds.counted_minor, refunds.amount_minor) as decimal(38, 0))) over (
            partition by orders.shop_id, orders.order_id
            order by refunds.refunded_date, refunds.refund_id
            rows between unbounded preceding and current row
        ) as returned_minor
    from orders
    inner join refunds
        on orders.shop_id = refunds.shop_id
        and orders.order_id = refunds.order_id
        and orders.currency = refunds.currency

),

wholly_returned as (

    select
        shop_id,
        order_id,
        min(refunded_date) as kept_until
    from returned
    where paid_in_currency_minor > 0 and returned_minor >= paid_in_currency_minor
    group by shop_id, order_id

)

select
    orders.shop_id,
    orders.order_id,
    orders.person_id,
    orders.paid_date,
    orders.paid_minor,
    orders.net_minor,
    wholly_returned.kept_until
from orders
left join wholly_returned
    on orders.shop_id = wholly_returned.shop_id and orders.order_id = wholly_returned.order_id
where orders.person_id is not null
