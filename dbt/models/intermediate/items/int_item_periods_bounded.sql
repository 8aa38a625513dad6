with days as (

    select * from {{ ref('int_shop_days_spined') }}

),

shops as (

    select
        shop_id,
        min(first_date) as shop_first_date,
        max(shop_date) as last_date
    from days
    group by shop_id

),

periods as (

    {% for length in [7, 30, 90] %}
        select {{ length }} as period_days
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    shops.shop_id,
    periods.period_days,
    cast({{ days_later('shops.last_date', '1 - periods.period_days') }} as date) as first_date,
    shops.last_date,
    shops.shop_first_date
from shops
cross join periods
