-- Prices in the home currency, cut at the shop's own bounds, else into five bands of equal number; equal prices share a band. A
-- stamp of a home currency that the shop has no more says nothing.
with items as (

    select * from {{ ref('stg_lake__items') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

settings as (

    select * from {{ ref('stg_lake__item_settings') }}

),

bounds as (

    select
        shop_id,
        threshold as bound_minor
    from settings
    where measure = 'price_bound_minor'

),

priced as (

    select
        items.shop_id,
        items.item_id,
        case
            when items.currency = shops.currency then items.unit_price_minor
            when items.home_currency = shops.currency then items.home_unit_price_minor
        end as price_minor
    from items
    inner join shops on items.shop_id = shops.shop_id

),

with_own_bounds as (

    select distinct shop_id
    from bounds

),

cut_at_bounds as (

    select
        priced.shop_id,
        priced.item_id,
        priced.price_minor,
        cast(1 + count(bounds.bound_minor) as integer) as price_band
    from priced
    inner join with_own_bounds on priced.shop_id = with_own_bounds.shop_id
    left join bounds on priced.shop_id = bounds.shop_id and priced.price_minor >= bounds.bound_minor
    where priced.price_minor is not null
    group by priced.shop_id, priced.item_id, priced.price_minor

),

cut_by_number as (

    select
        priced.shop_id,
        priced.item_id,
        priced.price_minor,
        {{ quintile('priced.price_minor', 'priced.shop_id') }} as price_band
    from priced
    left join with_own_bounds on priced.shop_id = with_own_bounds.shop_id
    where priced.price_minor is not null and with_own_bounds.shop_id is null

),

banded as (

    select * from cut_at_bounds
    union all
    select * from cut_by_number

)

select
    priced.shop_id,
    priced.item_id,
    priced.price_minor,
    coalesce(banded.price_band, 0) as price_band
from priced
left join banded on priced.shop_id = banded.shop_id and priced.item_id = banded.item_id
