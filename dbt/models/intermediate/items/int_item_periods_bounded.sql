with days as (

    select * from {{ ref('int_shop_days_spined') }}

),

traffic as (

    select * from {{ ref('int_traffic_days_counted') }}

),

shops as (

    select
        shop_id,
        min(first_date) as shop_first_date,
        max(shop_date) as last_date,
        min({{ share_until('as_of_at', 'starts_at', 'ends_at') }}) as last_day_share
    from days
    group by shop_id

),

known_from as (

    select
        shop_id,
        min(shop_date) as traffic_from
    from traffic
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
    shops.last_day_share,
    shops.shop_first_date,
    coalesce(known_from.traffic_from <= shops.last_date, false) as has_storefront
from shops
left join known_from on shops.shop_id = known_from.shop_id
cross join periods
