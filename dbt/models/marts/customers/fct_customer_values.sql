-- Forecasts are as of the marts before; who has become another person since, or no customer, has none until the next.
with forecasts as (

    select * from {{ ref('stg_lake__customer_values') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

shops as (

    select * from {{ ref('dim_shops') }}

)

select
    forecasts.shop_id,
    forecasts.person_id,
    forecasts.as_of_date,
    forecasts.horizon_days,
    forecasts.repeat_purchases,
    forecasts.probability_alive,
    forecasts.expected_purchases,
    forecasts.expected_purchases_low,
    forecasts.expected_purchases_high,
    forecasts.expected_amount_minor,
    forecasts.expected_value_minor,
    forecasts.expected_value_minor_low,
    forecasts.expected_value_minor_high
from forecasts
inner join customers
    on forecasts.shop_id = customers.shop_id
    and forecasts.person_id = customers.person_id
inner join shops on forecasts.shop_id = shops.shop_id and forecasts.currency = shops.currency
where customers.excluded_reason is null
