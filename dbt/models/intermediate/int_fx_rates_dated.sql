with fx_rates as (

    select * from {{ ref('stg_lake__fx_rates') }}

),

shops as (

    select * from {{ ref('stg_lake__shops') }}

),

currencies as (

    select * from {{ ref('stg_lake__currencies') }}

),

-- Both as decimal texts: powers of ten are exact so, in every engine.
texts as (

    select
        fx_rates.shop_id,
        fx_rates.currency,
        fx_rates.rate_date,
        concat(
            cast(fx_rates.rate_units as string),
            repeat('0', greatest(0, home.minor_digits - currencies.minor_digits))
        ) as numerator,
        concat(
            '1', repeat('0', fx_rates.rate_scale + greatest(0, currencies.minor_digits - home.minor_digits))
        ) as denominator
    from fx_rates
    inner join shops on fx_rates.shop_id = shops.shop_id and fx_rates.home_currency = shops.currency
    inner join currencies on fx_rates.currency = currencies.currency
    inner join currencies as home on fx_rates.home_currency = home.currency

)

select
    shop_id,
    currency,
    rate_date,
    lead(rate_date) over (partition by shop_id, currency order by rate_date) as next_rate_date,
    cast(numerator as decimal(38, 0)) as numerator,
    cast(denominator as decimal(38, 0)) as denominator
from texts
