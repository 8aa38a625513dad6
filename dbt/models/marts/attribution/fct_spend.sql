with spend as (

    select * from {{ ref('stg_lake__spend') }}

),

shops as (

    select * from {{ ref('dim_shops') }}

),

rates as (

    select * from {{ ref('int_fx_rates_dated') }}

),

dated as (

    select
        spend.*,
        spend.currency = shops.currency as is_home,
        rates.numerator,
        rates.denominator
    from spend
    inner join shops on spend.shop_id = shops.shop_id
    left join rates
        on spend.shop_id = rates.shop_id
        and spend.currency = rates.currency
        and spend.spend_date >= rates.rate_date
        and (spend.spend_date < rates.next_rate_date or rates.next_rate_date is null)

)

select
    shop_id,
    spend_date,
    channel,
    campaign,
    currency,
    amount_minor as amount_in_currency_minor,
    case when is_home then amount_minor else {{ in_home('amount_minor') }} end as spend_minor,
    clicks,
    impressions
from dated
