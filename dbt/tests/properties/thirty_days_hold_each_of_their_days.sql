-- Who paid today paid within thirty days, nobody is counted who paid on none of them, and who came back is one of them.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

windows as (

    select
        today.shop_id,
        today.shop_date,
        max(today.customers_30d) as customers_30d,
        max(today.repeat_customers_30d) as repeat_customers_30d,
        max(within.paying_customers) as most_of_a_day,
        sum(within.paying_customers) as of_all_days,
        sum(within.orders) as orders
    from shop_days as today
    inner join shop_days as within
        on today.shop_id = within.shop_id
        and within.shop_date <= today.shop_date
        and within.shop_date > {{ days_later('today.shop_date', -30) }}
    group by today.shop_id, today.shop_date

)

select
    shop_id,
    shop_date,
    customers_30d,
    repeat_customers_30d
from windows
where
    customers_30d < most_of_a_day
    or customers_30d > of_all_days
    or repeat_customers_30d > customers_30d
    or repeat_customers_30d > orders - customers_30d
