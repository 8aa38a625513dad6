with shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

bounds as (

    select
        min(shop_date) as first_day,
        max(shop_date) as last_day
    from shop_days

),

days as (

    select {{ each_day('first_day', 'last_day') }} as midnight
    from bounds

)

select cast(midnight as date) as day
from days
