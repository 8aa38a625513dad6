with source as (

    select * from {{ source('lake', 'customer_value_calibration') }}

)

select
    shop_id,
    repeat_purchases,
    as_of_date,
    cut_date,
    held_out_days,
    customers,
    expected_purchases,
    expected_purchases_low,
    expected_purchases_high,
    actual_purchases
from source
