with calibration as (

    select * from {{ ref('stg_lake__customer_value_calibration') }}

),

shops as (

    select * from {{ ref('dim_shops') }}

)

select
    calibration.shop_id,
    calibration.repeat_purchases,
    calibration.as_of_date,
    calibration.cut_date,
    calibration.held_out_days,
    calibration.customers,
    calibration.expected_purchases,
    calibration.expected_purchases_low,
    calibration.expected_purchases_high,
    calibration.actual_purchases
from calibration
inner join shops on calibration.shop_id = shops.shop_id
