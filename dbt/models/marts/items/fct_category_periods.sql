with periods as (

    select * from {{ ref('int_item_periods_bounded') }}

),

items as (

    select * from {{ ref('stg_lake__items') }}

),

item_periods as (

    select * from {{ ref('fct_item_periods') }}

),

categories as (

    select
        shop_id,
        category,
        cast(count(*) as bigint) as items
    from items
    group by shop_id, category

),

-- Without a category is what was sold or seen outside the catalogue.
sold as (

    select
        shop_id,
        period_days,
        category,
        {{ count_where('units > 0') }} as items_sold,
        {{ item_measures() }}
    from item_periods
    group by shop_id, period_days, category

),

keys as (

    select
        periods.shop_id,
        periods.period_days,
        categories.category
    from periods
    inner join categories on periods.shop_id = categories.shop_id
    union
    select
        shop_id,
        period_days,
        category
    from sold

)

select
    keys.shop_id,
    keys.period_days,
    keys.category,
    coalesce(categories.items, 0) as items,
    coalesce(sold.items_sold, 0) as items_sold,
    {{ item_group_measures('sold', 'periods') }}
from keys
inner join periods on keys.shop_id = periods.shop_id and keys.period_days = periods.period_days
left join categories on keys.shop_id = categories.shop_id and keys.category = categories.category
left join sold
    on keys.shop_id = sold.shop_id
    and keys.period_days = sold.period_days
    and keys.category is not distinct from sold.category
