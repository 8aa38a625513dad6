with periods as (

    select * from {{ ref('int_item_periods_bounded') }}

),

banded as (

    select * from {{ ref('int_items_banded') }}

),

item_periods as (

    select * from {{ ref('fct_item_periods') }}

),

bands as (

    select
        shop_id,
        price_band,
        min(price_minor) as lowest_minor,
        max(price_minor) as highest_minor,
        cast(count(*) as bigint) as items
    from banded
    group by shop_id, price_band

),

sold as (

    select
        shop_id,
        period_days,
        price_band,
        {{ count_where('units > 0') }} as items_sold,
        {{ item_measures() }}
    from item_periods
    group by shop_id, period_days, price_band

),

-- A band without items holds what was sold outside the catalogue.
keys as (

    select
        periods.shop_id,
        periods.period_days,
        bands.price_band
    from periods
    inner join bands on periods.shop_id = bands.shop_id
    union
    select
        shop_id,
        period_days,
        price_band
    from sold

)

select
    keys.shop_id,
    keys.period_days,
    keys.price_band,
    bands.lowest_minor,
    bands.highest_minor,
    coalesce(bands.items, 0) as items,
    coalesce(sold.items_sold, 0) as items_sold,
    {{ item_group_measures('sold', 'periods') }}
from keys
inner join periods on keys.shop_id = periods.shop_id and keys.period_days = periods.period_days
left join bands on keys.shop_id = bands.shop_id and keys.price_band = bands.price_band
left join sold
    on keys.shop_id = sold.shop_id and keys.period_days = sold.period_days and keys.price_band = sold.price_band
