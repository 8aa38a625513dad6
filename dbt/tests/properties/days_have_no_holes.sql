-- The days of a shop follow each other, only the newest are not over, and each is compared with three earlier dates.
with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

comparisons as (

    select * from {{ ref('fct_shop_day_comparisons') }}

),

compared as (

    select
        shop_id,
        shop_date,
        count(*) as comparisons,
        max(compared_date) as newest_compared_date
    from comparisons
    group by shop_id, shop_date

),

days as (

    select
        shop_days.shop_id,
        shop_days.shop_date,
        shop_days.is_complete,
        coalesce(compared.comparisons, 0) as comparisons,
        compared.newest_compared_date,
        lag(shop_days.shop_date) over (partition by shop_days.shop_id order by shop_days.shop_date) as date_before,
        lag(shop_days.is_complete) over (partition by shop_days.shop_id order by shop_days.shop_date) as was_complete
    from shop_days
    left join compared on shop_days.shop_id = compared.shop_id and shop_days.shop_date = compared.shop_date

)

select
    shop_id,
    shop_date
from days
where
    cast({{ days_later('date_before', 1) }} as date) <> shop_date
    or (is_complete and not was_complete)
    or comparisons <> 3
    or newest_compared_date >= shop_date
