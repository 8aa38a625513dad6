with source as (

    select * from {{ source('lake', 'customer_values') }}

)

select
    shop_id,
    person_id,
    as_of_date,
    currency,
    horizon_days,
    repeat_purchases,
    probability_alive,
    expected_purchases,
    expected_purchases_low,
    expected_purchases_high,
    expected_amount_minor,
    expected_value_minor,
    expected_value_minor_low,
    expected_value_minor_high
from source
