with items as (

    select * from {{ ref('stg_lake__items') }}

),

item_days as (

    select * from {{ ref('fct_item_days') }}

),

events as (

    select * from {{ ref('stg_lake__events') }}

),

periods as (

    select * from {{ ref('int_item_periods_bounded') }}

),

settings as (

    select * from {{ ref('stg_lake__item_settings') }}

),

rules as (

    select
        shop_id,
        max(case when measure = 'restock_units_30d' then threshold end) as restock_units_30d,
        max(case when measure = 'restock_cover_days' then threshold end) as restock_cover_days,
        max(case when measure = 'slow_days' then threshold end) as slow_days,
        max(case when measure = 'slow_cover_days' then threshold end) as slow_cover_days
    from settings
    group by shop_id

),

shops as (

    select
        periods.shop_id,
        periods.first_date,
        periods.last_date,
        periods.last_day_share,
        periods.shop_first_date,
        rules.restock_units_30d,
        rules.restock_cover_days,
        rules.slow_days,
        rules.slow_cover_days,
        cast({{ days_later('periods.last_date', '1 - rules.slow_days') }} as date) as slow_from
    from periods
    inner join rules on periods.shop_id = rules.shop_id
    where periods.period_days = 30

),

listed as (

    select
        shop_id,
        item_id,
        min(occurred_date) as listed_date
    from events
    where type = 'item_changed' and item_id is not null
    group by shop_id, item_id

),

-- What was sold or seen before the catalogue says so was there before.
first_days as (

    select
        shop_id,
        item_id,
        min(shop_date) as first_date
    from item_days
    group by shop_id, item_id

),

sold as (

    select
        item_days.shop_id,
        item_days.item_id,
        {{ sum_minor('case when item_days.shop_date >= shops.first_date then item_days.units end') }} as units_30d,
        {{ sum_minor('case when item_days.shop_date >= shops.slow_from then item_days.units end') }} as units_of_slow_days
    from item_days
    inner join shops
        on item_days.shop_id = shops.shop_id
        and item_days.shop_date >= least(shops.first_date, shops.slow_from)
        and item_days.shop_date <= shops.last_date
    group by item_days.shop_id, item_days.item_id

),

-- An item that is new, or a shop that is, has sold for fewer days than 30, and the newest day counts by its share that is over.
paced as (

    select
        items.*,
        shops.first_date,
        shops.last_date,
        shops.last_day_share,
        shops.shop_first_date,
        shops.slow_from,
        shops.slow_days,
        shops.slow_cover_days,
        shops.restock_units_30d,
        shops.restock_cover_days,
        listed.listed_date,
        coalesce(sold.units_30d, 0) as units_30d,
        coalesce(sold.units_of_slow_days, 0) as units_of_slow_days,
        case
            when listed.listed_date is not null then least(listed.listed_date, first_days.first_date)
        end as there_from
    from items
    inner join shops on items.shop_id = shops.shop_id
    left join listed on items.shop_id = listed.shop_id and items.item_id = listed.item_id
    left join first_days on items.shop_id = first_days.shop_id and items.item_id = first_days.item_id
    left join sold on items.shop_id = sold.shop_id and items.item_id = sold.item_id

),

selling as (

    select
        *,
        greatest(first_date, shop_first_date, coalesce(there_from, first_date)) as sells_from
    from paced

),

dated as (

    select
        *,
        cast(stock as decimal(38, 0)) as pieces,
        last_day_share + greatest(0, {{ dbt.datediff('sells_from', 'last_date', 'day') }}) as selling_days
    from selling

),

flagged as (

    select
        *,
        case
            when status <> 'active' or units_30d < restock_units_30d then false
            when stock is not null then cast(pieces as double) * selling_days < units_30d * restock_cover_days
        end as is_short,
        case
            when status <> 'active' or stock = 0 or there_from > slow_from then false
            when stock is not null and there_from is not null and shop_first_date <= slow_from
                then pieces * slow_days > units_of_slow_days * slow_cover_days
        end as is_slow_mover
    from dated

)

select
    shop_id,
    item_id,
    title,
    title_en,
    category,
    brand,
    status,
    unit_price_minor,
    currency,
    last_date as as_of_date,
    listed_date,
    stock,
    cast(units_30d as decimal(38, 0)) as units_30d,
    cast(selling_days as double) as selling_days_30d,
    cast(units_30d as double) / selling_days as units_per_day,
    {{ ratio('pieces * selling_days', 'units_30d') }} as days_of_stock,
    -- What moves slowly by the shop's own days is not to be ordered again, however little of it is left.
    is_short and not coalesce(is_slow_mover, false) as is_restock_candidate,
    cast(slow_days as bigint) as slow_days,
    cast(units_of_slow_days as decimal(38, 0)) as units_of_slow_days,
    is_slow_mover
from flagged
