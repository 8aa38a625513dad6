-- repeated: orders that another order of the same person, instant, amount, lines and units precedes. with_old_rate: the newest
-- rate is more than 14 days older than the payment.
with orders as (

    select * from {{ ref('fct_orders') }}

),

rates as (

    select * from {{ ref('int_fx_rates_dated') }}

),

order_lines as (

    select * from {{ ref('stg_lake__order_lines') }}

),

items as (

    select * from {{ ref('stg_lake__items') }}

),

placed as (

    select
        orders.shop_id,
        orders.order_id,
        orders.paid_date,
        rates.rate_date < {{ days_later('orders.paid_date', -14) }} as has_old_rate,
        row_number() over (
            partition by
                orders.shop_id, orders.person_id, orders.paid_at, orders.paid_in_currency_minor, orders.lines, orders.units
            order by orders.order_id
        ) > 1 and orders.person_id is not null as is_repeated
    from orders
    left join rates
        on orders.shop_id = rates.shop_id
        and orders.currency = rates.currency
        and orders.paid_date >= rates.rate_date
        and (orders.paid_date < rates.next_rate_date or rates.next_rate_date is null)

),

by_day as (

    select
        shop_id,
        paid_date as shop_date,
        count(*) as orders,
        {{ count_where('has_old_rate') }} as with_old_rate,
        {{ count_where('is_repeated') }} as repeated
    from placed
    group by shop_id, paid_date

),

lines_by_day as (

    select
        order_lines.shop_id,
        order_lines.paid_date as shop_date,
        count(*) as order_lines,
        {{ count_where('items.item_id is null') }} as lines_of_unknown_items
    from order_lines
    left join items on order_lines.shop_id = items.shop_id and order_lines.item_id = items.item_id
    group by order_lines.shop_id, order_lines.paid_date

)

select
    by_day.shop_id,
    by_day.shop_date,
    by_day.orders,
    by_day.with_old_rate,
    by_day.repeated,
    coalesce(lines_by_day.order_lines, 0) as order_lines,
    coalesce(lines_by_day.lines_of_unknown_items, 0) as lines_of_unknown_items,
    sum(lines_by_day.order_lines) over (
        partition by by_day.shop_id order by by_day.shop_date rows between unbounded preceding and 1 preceding
    ) as lines_before,
    sum(lines_by_day.lines_of_unknown_items) over (
        partition by by_day.shop_id order by by_day.shop_date rows between unbounded preceding and 1 preceding
    ) as lines_of_unknown_items_before
from by_day
left join lines_by_day on by_day.shop_id = lines_by_day.shop_id and by_day.shop_date = lines_by_day.shop_date
