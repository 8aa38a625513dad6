-- Days are compared by their date. Of a day that is not over the other day counts up to the same time on the shop's clock.
with days as (

    select * from {{ ref('int_shop_days_spined') }}

),

others as (

    select
        *,
        'day_before' as compared_with,
        cast({{ days_later('shop_date', -1) }} as date) as compared_date
    from days
    union all
    select
        *,
        'week_before' as compared_with,
        cast({{ days_later('shop_date', -7) }} as date) as compared_date
    from days
    union all
    select
        *,
        'year_before' as compared_with,
        cast(shop_date - interval '1' year as date) as compared_date
    from days

)

select
    shop_id,
    shop_date,
    compared_with,
    compared_date,
    is_complete,
    compared_date >= first_date as is_known,
    {{ instant_of('cast(compared_date as timestamp)', 'time_zone') }} as starts_at,
    {{ instant_of(
        '(cast(compared_date as timestamp) + (local_as_of - cast(shop_date as timestamp)))', 'time_zone'
    ) }} as until_at
from others
