with shops as (

    select * from {{ ref('stg_lake__shops') }}

),

currencies as (

    select * from {{ ref('stg_lake__currencies') }}

)

select
    shops.shop_id,
    shops.name,
    shops.time_zone,
    shops.currency,
    cast(currencies.minor_digits as integer) as minor_digits
from shops
inner join currencies on shops.currency = currencies.currency
