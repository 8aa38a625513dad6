-- Who paid today (and kept something) paid within each window that ends today, nobody is counted who paid on none of its days,
-- who came back is one of them, and a longer window holds a shorter one.
{% set windows = [7, 30, 90, 365] %}
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

kept as (

    select
        shop_id,
        paid_date,
        count(*) as orders,
        count(distinct person_id) as customers
    from fct_orders
    where person_id is not null and not is_wholly_refunded
    group by shop_id, paid_date

),

days as (

    select
        shop_days.*,
        coalesce(kept.orders, 0) as kept_orders,
        coalesce(kept.customers, 0) as kept_customers
    from shop_days
    left join kept on shop_days.shop_id = kept.shop_id and shop_days.shop_date = kept.paid_date

),

summed as (

    select
        *,
    {% for length in windows %}
        max(kept_customers) over last_{{ length }}_days as most_of_a_day_{{ length }}d,
        sum(kept_customers) over last_{{ length }}_days as of_all_days_{{ length }}d,
        sum(kept_orders) over last_{{ length }}_days as orders_{{ length }}d{{ ',' if not loop.last }}
    {% endfor %}
    from days
    window
    {% for length in windows %}
            last_{{ length }}_days as (
                partition by shop_id order by shop_date rows between {{ length - 1 }} preceding and current row
            ){{ ',' if not loop.last }}
    {% endfor %}

)

select
    shop_id,
    shop_date
from summed
where
    {% for length in windows %}
        customers_{{ length }}d < most_of_a_day_{{ length }}d
        or customers_{{ length }}d > of_all_days_{{ length }}d
        or repeat_customers_{{ length }}d > customers_{{ length }}d
        or repeat_customers_{{ length }}d > orders_{{ length }}d - customers_{{ length }}d
        or (orders_{{ length }}d > customers_{{ length }}d and repeat_customers_{{ length }}d = 0)
        or
    {% endfor %}
    customers_7d > customers_30d
    or customers_30d > customers_90d
    or customers_90d > customers_365d
