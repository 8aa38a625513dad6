-- Customers of the days up to a day, for windows of several lengths, by what each order changes: it makes its person one who
-- bought until the person's next order (or until it leaves the window), and one who came back as long as the order before it
-- is in the window too. Orders that were wholly refunded are none.
{% set windows = [7, 30, 90, 365] %}
with fct_orders as (

    select * from {{ ref('fct_orders') }}

),

days as (

    select * from {{ ref('int_shop_days_spined') }}

),

windows as (

    {% for length in windows %}
        select {{ length }} as length
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

orders as (

    select
        shop_id,
        paid_date,
        lag(paid_date) over (partition by shop_id, person_id order by order_number) as previous_date,
        lead(paid_date) over (partition by shop_id, person_id order by order_number) as next_date
    from fct_orders
    where person_id is not null and not is_wholly_refunded

),

spans as (

    select
        orders.shop_id,
        windows.length,
        orders.paid_date,
        least(
            cast({{ days_later('orders.paid_date', 'windows.length') }} as date), orders.next_date
        ) as customer_until,
        case
            when cast({{ days_later('orders.previous_date', 'windows.length') }} as date) > orders.paid_date
                then least(cast({{ days_later('orders.previous_date', 'windows.length') }} as date), orders.next_date)
        end as repeat_until
    from orders
    cross join windows

),

changes as (

    select
        shop_id,
        length,
        paid_date as shop_date,
        1 as customers,
        case when repeat_until is not null then 1 else 0 end as repeats
    from spans
    union all
    select
        shop_id,
        length,
        customer_until as shop_date,
        -1 as customers,
        0 as repeats
    from spans
    union all
    select
        shop_id,
        length,
        repeat_until as shop_date,
        0 as customers,
        -1 as repeats
    from spans
    where repeat_until is not null

),

summed as (

    select
        shop_id,
        length,
        shop_date,
        sum(customers) as customers,
        sum(repeats) as repeats
    from changes
    group by shop_id, length, shop_date

),

counted as (

    select
        days.shop_id,
        days.shop_date,
        days.first_date,
        windows.length,
        sum(coalesce(summed.customers, 0)) over (
            partition by days.shop_id, windows.length order by days.shop_date rows between unbounded preceding and current row
        ) as customers,
        sum(coalesce(summed.repeats, 0)) over (
            partition by days.shop_id, windows.length order by days.shop_date rows between unbounded preceding and current row
        ) as repeats
    from days
    cross join windows
    left join summed
        on days.shop_id = summed.shop_id and days.shop_date = summed.shop_date and windows.length = summed.length

)

select
    shop_id,
    shop_date,
{% for length in windows %}
    cast(max(case when length = {{ length }} then customers end) as bigint) as customers_{{ length }}d,
    cast(max(case when length = {{ length }} then repeats end) as bigint) as repeat_customers_{{ length }}d,
    max(case
        when length = {{ length }} and {{ days_later('first_date', length - 1) }} <= shop_date
            then cast(repeats as double) / nullif(customers, 0)
        end) as repurchase_rate_{{ length }}d{{ ',' if not loop.last }}
{% endfor %}
from counted
group by shop_id, shop_date
